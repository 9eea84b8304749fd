return head(load())

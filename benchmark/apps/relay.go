// The same relay as one writes it with Go's standard library: relay-go LISTEN UPSTREAM
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
)

type chunk struct {
	Choices []struct {
		Delta struct {
			Content string `json:"content"`
		} `json:"delta"`
	} `json:"choices"`
}

var (
	// It takes HTTP/2 where the upstream offers it, and verifies against SSL_CERT_FILE.
	client  = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 10000, ForceAttemptHTTP2: true}}
	request = []byte(`{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Hello"}]}`)
	prefix  = []byte("data: ")
	done    = []byte("[DONE]")
)

func relay(w http.ResponseWriter, r *http.Request) {
	response, err := client.Post(os.Args[2]+"/v1/chat/completions?"+r.URL.RawQuery, "application/json", bytes.NewReader(request))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	flusher := w.(http.Flusher)
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if !bytes.HasPrefix(lines.Bytes(), prefix) {
			continue
		}
		data := lines.Bytes()[len(prefix):]
		var c chunk
		if bytes.Equal(data, done) || json.Unmarshal(data, &c) != nil || len(c.Choices) == 0 {
			continue
		}
		frame, _ := json.Marshal(map[string]string{"content": c.Choices[0].Delta.Content})
		fmt.Fprintf(w, "event: token\ndata: %s\n\n", frame)
		flusher.Flush()
	}
	fmt.Fprint(w, "event: done\ndata: {\"status\":\"completed\"}\n\n")
}

func main() {
	http.HandleFunc("/", relay)
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}

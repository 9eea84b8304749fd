# frozen_string_literal: true

# Real database servers for tests, each in a process, a directory and on a loopback port of its own, started when first asked for.
#
#   postgresql = Databases::PostgreSQL.shared           # one a test process, ended with it; .new for one that a test may break
#   postgresql.fresh                                    # Active Record's configuration of a database that nobody has used
#   postgresql.sql("SELECT 1 AS one")                   # [{"one" => 1}]
#   postgresql.pause, .resume                           # it is there and answers nothing, as if the network had swallowed it
#   postgresql.stop, .start, .restart, .kill            # its data stay
#   postgresql.remove                                   # of one made by .new, or when the test process ends
#
#   Databases::PostgreSQL.new(durable: true)            # fsync, as in production
#   Databases::PgBouncer.new(postgresql, pool_mode: "transaction")
#   Databases::MariaDB.shared
#   Databases::SQLite.new.active_record
#
#   redis = Databases::Redis.shared                     # Databases::Valkey is the same where Valkey.installed?
#   redis.fresh                                         # {url: "redis://127.0.0.1:12345/7"}, a database that nobody has used
#   redis.prefix                                        # "t8:", where databases are no help: channels and clusters
#   redis.command("SET", "key", "value")
#   replica = Databases::Redis.new(replica_of: redis)   # appendonly: "yes" and other settings of redis.conf, as keywords
#   replica.promote
#   Databases::RedisSentinel.new(redis, [replica]).sentinels
#   Databases::RedisCluster.new.nodes
#
# None outlives its test process, even one that was killed.
module Databases
  autoload :Server, File.expand_path("databases/server", __dir__)
  autoload :Watchdog, File.expand_path("databases/watchdog", __dir__)
  autoload :PostgreSQL, File.expand_path("databases/postgresql", __dir__)
  autoload :PgBouncer, File.expand_path("databases/pgbouncer", __dir__)
  autoload :MariaDB, File.expand_path("databases/mariadb", __dir__)
  autoload :SQLite, File.expand_path("databases/sqlite", __dir__)
  autoload :Redis, File.expand_path("databases/redis", __dir__)
  autoload :Valkey, File.expand_path("databases/valkey", __dir__)
  autoload :RedisSentinel, File.expand_path("databases/redis_sentinel", __dir__)
  autoload :RedisCluster, File.expand_path("databases/redis_cluster", __dir__)
end

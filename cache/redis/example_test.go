package redis_test

import (
	"fmt"

	"github.com/earshot-pbx/earshot/cache/redis"
)

func ExampleParse() {
	cfg, err := redis.Parse("rediss://redis.example:6380/2?password_file=redis.pass&ca_file=ca.pem", "/etc/earshot")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cfg.Addrs, cfg.DB, cfg.TLS, cfg.PasswordFile)
	fmt.Println("refuse what is older than", cfg.Staleness())

	_, err = redis.Parse("redis://:hunter2@redis.example", "")
	fmt.Println(err)
	// Output:
	// [redis.example:6380] 2 true /etc/earshot/redis.pass
	// refuse what is older than 3.5s
	// cache.redis: user and password do not belong here; write them into files and name those by username_file and password_file
}

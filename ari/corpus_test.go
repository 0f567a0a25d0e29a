package ari_test

import "fmt"

// corpus makes n events, a third each StasisStart, ChannelStateChange and ChannelEnteredBridge, of 672 bytes on
// average, with members in the order in which Asterisk 22 writes them.
func corpus(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		id := fmt.Sprintf("17952%05d.%d", 99332+i, i)
		channel := func(id string) string {
			return fmt.Sprintf(`{"id":"%s","name":"PJSIP/%d-%08x","state":"%s","protocol_id":"%016x@192.0.2.10",`+
				`"caller":{"name":"Employee %d","number":"%d"},"connected":{"name":"","number":"7495%07d"},"accountcode":"sales",`+
				`"dialplan":{"context":"from-internal","exten":"7495%07d","priority":%d,"app_name":"Dial","app_data":"PJSIP/7495%07d@trunk,60,tT"},`+
				`"creationtime":"2026-11-22T00:%02d:%02d.%03d+0000","language":"ru"}`,
				id, 100+i%50, i, []string{"Ring", "Up", "Ringing"}[i%3], i*7919, i%50, 100+i%50, i, i, 1+i%20, i, i%60, i%60, i%1000)
		}
		stamp := fmt.Sprintf("2026-11-22T00:%02d:%02d.%03d+0000", i%60, (i+1)%60, (i*7)%1000)
		tail := `,"asterisk_id":"00:11:22:33:44:55","application":"earshot"}`
		switch i % 3 {
		case 0:
			texts[i] = fmt.Sprintf(`{"type":"StasisStart","timestamp":"%s","args":["spy","%d"],"channel":%s`, stamp, 100+i%50, channel(id)) + tail
		case 1:
			texts[i] = fmt.Sprintf(`{"type":"ChannelStateChange","timestamp":"%s","channel":%s`, stamp, channel(id)) + tail
		case 2:
			texts[i] = fmt.Sprintf(`{"type":"ChannelEnteredBridge","timestamp":"%s","bridge":{"id":"%08x-0000-4000-8000-000000000000","technology":"simple_bridge",`+
				`"bridge_type":"mixing","bridge_class":"basic","creator":"","name":"","channels":["%s","%s"],"creationtime":"%s","video_mode":"none"},"channel":%s`,
				stamp, i, id, id, stamp, channel(id)) + tail
		}
	}
	return texts
}

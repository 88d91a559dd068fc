// The works over net/http and gorilla/websocket: a goroutine that reads and one that sends per player.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

type presence struct {
	SessionID string `json:"session_id"`
}

type match struct {
	ID        string     `json:"match_id"`
	Presences []presence `json:"presences"`
	Self      presence   `json:"self"`
}

type message struct {
	Cid       string           `json:"cid"`
	Match     *match           `json:"match"`
	MatchData *json.RawMessage `json:"match_data"`
	Presences *struct {
		Joins []presence `json:"joins"`
	} `json:"match_presence_event"`
}

type outgoing struct {
	Cid  string            `json:"cid,omitempty"`
	Ping *struct{}         `json:"ping,omitempty"`
	Make map[string]string `json:"match_create,omitempty"`
	Data map[string]string `json:"match_data_send,omitempty"`
}

// See ../stage.py for the job and the lines.
var job struct {
	Work      string  `json:"work"`
	URL       string  `json:"url"`
	ServerKey string  `json:"server_key"`
	Players   int     `json:"players"`
	Base      int     `json:"base"`
	Rate      float64 `json:"rate"`
	Seconds   float64 `json:"seconds"`
	Group     int     `json:"group"`
	WarmUp    float64 `json:"warm_up"`
	SpawnRate int     `json:"spawn_rate"`
	Prefix    string  `json:"prefix"`
	Run       string  `json:"run"`
}

var (
	sent, received, accounts atomic.Int64
	gate                     sync.Mutex
	entered                  int
	open, further            = make(chan struct{}), make(chan struct{})
	started                  time.Time
)

func check(err error) {
	if err != nil {
		line("failed", err.Error())
		os.Exit(1)
	}
}

func line(at, text string) {
	told, _ := json.Marshal(map[string]any{
		"sent": sent.Load(), "received": received.Load(), "failed": 0, "error": text,
	})
	// The line begins with "at", which Go would sort.
	fmt.Printf("{\"at\": %q, %s\n", at, told[1:])
}

func seconds(number float64) time.Duration { return time.Duration(number * float64(time.Second)) }

func measure() {
	time.Sleep(seconds(job.WarmUp))
	line("begin", "")
	time.Sleep(seconds(job.Seconds))
	end()
}

func end() {
	line("end", "")
	// For a driver that was killed: nothing may play on.
	time.AfterFunc(5*time.Second, func() { os.Exit(0) })
}

// Called by a player that is prepared: wait until all players are.
func enter() {
	gate.Lock()
	entered++
	switch {
	case job.Work == "C":
		sent.Store(int64(entered))
		received.Store(int64(entered))
		if entered == job.Base {
			go func() {
				time.Sleep(seconds(job.WarmUp))
				line("begin", "")
				close(further)
			}()
		}
		if entered == job.Players {
			end()
		}
	case entered == job.Players:
		started = time.Now()
		go measure()
		close(open)
	}
	gate.Unlock()
	<-open
}

// Call step at the rate of the job; the matches, or players, are spread evenly over the interval.
func ticks(number int, step func(tick int)) {
	phase := float64(number/job.Group*job.Group) / float64(job.Players) / job.Rate
	for tick := 0; ; tick++ {
		time.Sleep(time.Until(started.Add(seconds(phase + float64(tick)/job.Rate))))
		step(tick)
	}
}

func login(client *http.Client, deviceID string) string {
	body, _ := json.Marshal(map[string]string{"id": deviceID})
	address := job.URL + "/v2/account/authenticate/device?create=true"
	request, err := http.NewRequest("POST", address, bytes.NewReader(body))
	check(err)
	request.SetBasicAuth(job.ServerKey, "")
	answer, err := client.Do(request)
	check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	check(err)
	var session struct {
		Token string `json:"token"`
	}
	check(json.Unmarshal(text, &session))
	return session.Token
}

type peer struct {
	connection *websocket.Conn
	writing    sync.Mutex
	lock       sync.Mutex
	waiting    map[string]chan message
	cid        int
	inside     map[string]bool
	full       chan struct{}
}

func (one *peer) read() {
	for {
		_, data, err := one.connection.ReadMessage()
		check(err)
		var heard message
		check(json.Unmarshal(data, &heard))
		switch {
		case heard.Cid != "":
			one.lock.Lock()
			answered := one.waiting[heard.Cid]
			delete(one.waiting, heard.Cid)
			one.lock.Unlock()
			answered <- heard
		case heard.MatchData != nil:
			received.Add(1)
		case heard.Presences != nil:
			one.seen(heard.Presences.Joins)
		}
	}
}

func (one *peer) write(sending outgoing) {
	data, err := json.Marshal(sending)
	check(err)
	one.writing.Lock()
	defer one.writing.Unlock()
	check(one.connection.WriteMessage(websocket.TextMessage, data))
}

func (one *peer) request(sending outgoing) message {
	answered := make(chan message, 1)
	one.lock.Lock()
	one.cid++
	sending.Cid = strconv.Itoa(one.cid)
	one.waiting[sending.Cid] = answered
	one.lock.Unlock()
	one.write(sending)
	return <-answered
}

func (one *peer) seen(presences []presence) {
	one.lock.Lock()
	defer one.lock.Unlock()
	before := len(one.inside)
	for _, found := range presences {
		one.inside[found.SessionID] = true
	}
	if before < job.Group && len(one.inside) >= job.Group {
		close(one.full)
	}
}

func (one *peer) play(number int) {
	created := one.request(outgoing{Make: map[string]string{"name": fmt.Sprintf("%s-%d", job.Run, number/job.Group)}}).Match
	one.seen(append(created.Presences, created.Self))
	<-one.full
	enter()
	ticks(number, func(tick int) {
		data := base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf("%032d%032d", number, tick)))
		one.write(outgoing{Data: map[string]string{"match_id": created.ID, "op_code": "1", "data": data}})
		sent.Add(1)
	})
}

func (one *peer) ping() {
	sent.Add(1)
	one.request(outgoing{Ping: &struct{}{}})
	received.Add(1)
}

func play(number int) {
	// A player has its own connections.
	transport := &http.Transport{}
	client := &http.Client{Transport: transport}
	if job.Work == "E" {
		enter()
		for {
			sent.Add(1)
			login(client, fmt.Sprintf("%s-%s-%06d", job.Prefix, job.Run, accounts.Add(1)))
			received.Add(1)
		}
	}
	token := login(client, fmt.Sprintf("%s-1-w000-%06d", job.Prefix, number))
	transport.CloseIdleConnections()
	connection, _, err := websocket.DefaultDialer.Dial(strings.Replace(job.URL, "http", "ws", 1)+"/ws?token="+token, nil)
	check(err)
	one := &peer{
		connection: connection, waiting: map[string]chan message{}, inside: map[string]bool{}, full: make(chan struct{}),
	}
	go one.read()
	if job.Work == "D" || job.Work == "F" {
		one.play(number)
	}
	enter()
	if job.Rate > 0 {
		ticks(number, func(int) { one.ping() })
	}
	for {
		one.ping()
	}
}

func main() {
	check(json.Unmarshal([]byte(os.Getenv("BENCHMARK_JOB")), &job))
	for number := 0; number < job.Players; number++ {
		if job.Base > 0 && number == job.Base {
			<-further // no further player exists before the first are measured
		}
		if number > 0 && number%job.SpawnRate == 0 {
			time.Sleep(time.Second)
		}
		go play(number)
	}
	select {}
}

// SPDX-License-Identifier: MIT

// The same things with Go's goroutines and channels; workers is GOMAXPROCS, and who runs where is
// the scheduler's own choice. The parameters and the lines printed are those of bench.h.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const notHere = 77

var (
	given  = map[string]string{}
	params []string
)

func die(what string) {
	fmt.Fprintf(os.Stderr, "go %s: %s\n", os.Args[1], what)
	os.Exit(1)
}

func textParam(key, fallback string) string {
	text, ok := given[key]
	if !ok {
		text = fallback
	}
	delete(given, key)
	params = append(params, fmt.Sprintf("%q: %q", key, text))
	return text
}

func param(key string, fallback int) int {
	if text, ok := given[key]; ok {
		n, err := strconv.Atoi(text)
		if err != nil {
			die(key + " is no number")
		}
		fallback = n
	}
	delete(given, key)
	params = append(params, fmt.Sprintf("%q: %d", key, fallback))
	return fallback
}

func result(part string, value float64, unit string) {
	for key := range given {
		die("no parameter " + key)
	}
	name := strings.TrimSpace(os.Args[1] + " " + part)
	fmt.Printf("{\"bench\": %q, \"who\": \"go\", \"params\": {%s}, \"value\": %.6g, \"unit\": %q}\n",
		name, strings.Join(params, ", "), value, unit)
}

func percentile(values []float64, percent float64) float64 {
	sort.Float64s(values)
	return values[int(float64(len(values)-1)*percent/100)]
}

func batches(ops int, run func(ops int)) {
	ops = param("ops", ops)
	n := param("batches", 5)
	ns := make([]float64, n)
	for i := range ns {
		begin := time.Now()
		run(ops)
		ns[i] = float64(time.Since(begin).Nanoseconds()) / float64(ops)
	}
	if n > 1 {
		ns = ns[1:]
	}
	result("", percentile(ns, 50), "ns")
}

func yield() {
	runtime.GOMAXPROCS(1)
	tasks := param("tasks", 2)
	batches(500000, func(ops int) {
		var all sync.WaitGroup
		all.Add(tasks)
		for i := 0; i < tasks; i++ {
			go func() {
				for left := ops / tasks; left > 0; left-- {
					runtime.Gosched()
				}
				all.Done()
			}()
		}
		all.Wait()
	})
}

func spawn() {
	runtime.GOMAXPROCS(1)
	if textParam("how", "close") == "yield" {
		batches(200000, func(ops int) {
			for ; ops > 0; ops-- {
				go func() {}()
				runtime.Gosched()
			}
		})
		return
	}
	batches(200000, func(ops int) {
		for ; ops > 0; ops-- {
			var all sync.WaitGroup
			all.Add(1)
			go all.Done()
			all.Wait()
		}
	})
}

func million() {
	runtime.GOMAXPROCS(param("workers", 1))
	batches(1000000, func(ops int) {
		var all sync.WaitGroup
		all.Add(ops)
		for ; ops > 0; ops-- {
			go all.Done()
		}
		all.Wait()
	})
}

func pingpong() {
	runtime.GOMAXPROCS(1)
	capacity := param("capacity", 1)
	batches(200000, func(ops int) {
		ping, pong := make(chan int, capacity), make(chan int, capacity)
		go func() {
			for left := ops; left > 0; left-- {
				pong <- <-ping
			}
		}()
		for i := 0; i < ops; i++ {
			ping <- i
			if <-pong != i {
				die("the wrong ball came back")
			}
		}
	})
}

func channel() {
	runtime.GOMAXPROCS(param("workers", 1))
	pairs := param("pairs", 1)
	capacity := param("capacity", 128)
	batches(1000000, func(ops int) {
		var all sync.WaitGroup
		ch := make(chan int, capacity)
		all.Add(2 * pairs)
		for p := 0; p < pairs; p++ {
			go func() {
				for left := ops / pairs; left > 0; left-- {
					<-ch
				}
				all.Done()
			}()
			go func() {
				for left := ops / pairs; left > 0; left-- {
					ch <- left
				}
				all.Done()
			}()
		}
		all.Wait()
	})
}

// A job is a goroutine, its future a channel for the one result.
func submit(input int) chan int {
	result := make(chan int, 1)
	go func() { result <- input }()
	return result
}

func executor() {
	if textParam("tier", "threads") != "tasks" {
		os.Exit(notHere)
	}
	runtime.GOMAXPROCS(1)
	jobs := make([]chan int, param("in_flight", 1))
	if len(jobs) == 0 {
		die("in_flight: none")
	}
	batches(512000, func(ops int) {
		for first := 0; first < ops; first += len(jobs) {
			for i := range jobs {
				jobs[i] = submit(first + i)
			}
			for i, job := range jobs {
				if <-job != first+i {
					die("the wrong result")
				}
			}
		}
	})
}

// Bytes behind a name in /proc/self/status.
func status(name string) float64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		die(err.Error())
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if words[0] == name+":" {
			kib, _ := strconv.Atoi(words[1])
			return float64(kib) * 1024
		}
	}
	die("no " + name)
	return 0
}

func parked() {
	runtime.GOMAXPROCS(1)
	tasks := param("tasks", 1000000)
	var here, gone sync.WaitGroup
	gate := make(chan struct{})
	here.Add(tasks)
	gone.Add(tasks)
	resident, tables := status("VmRSS"), status("VmPTE")
	begin := time.Now()
	for i := 0; i < tasks; i++ {
		go func() {
			here.Done()
			<-gate
			gone.Done()
		}()
	}
	here.Wait()
	ns := float64(time.Since(begin).Nanoseconds())
	each := float64(tasks)
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		die(err.Error())
	}
	result("resident", (status("VmRSS")-resident)/each, "bytes")
	result("page tables", (status("VmPTE")-tables)/each, "bytes")
	result("mappings", float64(strings.Count(string(maps), "\n")), "")
	result("first creation", ns/each, "ns")
	close(gate)
	gone.Wait()
}

func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		die(err.Error())
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

func sleepers() {
	tasks := param("tasks", 1000000)
	runtime.GOMAXPROCS(param("workers", 1))
	lead := time.Duration(param("lead_ms", 2000)) * time.Millisecond
	step := time.Duration(param("spread_ms", 2000)) * time.Millisecond / time.Duration(tasks)
	late := make([]float64, tasks)
	var here, gone sync.WaitGroup
	var first time.Time
	gate := make(chan struct{})
	here.Add(tasks)
	gone.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func(i int) {
			here.Done()
			<-gate
			when := first.Add(time.Duration(i*611953%tasks) * step)
			time.Sleep(time.Until(when))
			late[i] = float64(time.Since(when).Nanoseconds()) / 1000
			gone.Done()
		}(i)
	}
	here.Wait()
	used := cpu()
	first = time.Now().Add(lead)
	close(gate)
	gone.Wait()
	result("cpu", (cpu()-used)/float64(tasks), "ns")
	result("late p99", percentile(late, 99), "us")
}

func lateness() {
	runtime.GOMAXPROCS(1)
	sleeps := param("sleeps", 300)
	each := time.Duration(param("us", 3000)) * time.Microsecond
	late := make([]float64, sleeps)
	for i := range late {
		when := time.Now().Add(each)
		time.Sleep(each)
		late[i] = float64(time.Since(when).Nanoseconds()) / 1000
	}
	result("p50", percentile(late, 50), "us")
	result("p99", percentile(late, 99), "us")
}

func node(up chan int, first, leaves int) {
	if leaves == 1 {
		up <- first
		return
	}
	ch := make(chan int, 10)
	sum, share := 0, leaves/10
	for i := 0; i < 10; i++ {
		go node(ch, first+i*share, share)
	}
	for i := 0; i < 10; i++ {
		sum += <-ch
	}
	up <- sum
}

func skynet() {
	leaves := param("leaves", 1000000)
	runtime.GOMAXPROCS(param("workers", 1))
	up := make(chan int, 1)
	node(up, 0, leaves) // makes the stacks
	<-up
	begin := time.Now()
	node(up, 0, leaves)
	if <-up != leaves*(leaves-1)/2 {
		die("the sum is wrong")
	}
	result("", float64(time.Since(begin).Nanoseconds())/float64(leaves), "ns")
}

func main() {
	benches := map[string]func(){
		"yield": yield, "spawn": spawn, "million": million, "pingpong": pingpong, "chan": channel,
		"parked": parked, "sleepers": sleepers, "lateness": lateness, "skynet": skynet,
		"executor": executor,
	}
	if len(os.Args) < 2 || benches[os.Args[1]] == nil {
		os.Exit(notHere)
	}
	for _, arg := range os.Args[2:] {
		words := strings.SplitN(arg, "=", 2)
		if len(words) != 2 {
			die("arguments are key=value")
		}
		given[words[0]] = words[1]
	}
	benches[os.Args[1]]()
}

// SPDX-License-Identifier: MIT

// A server on Go's net/http: /hello from memory, and the files of a folder.
//
//	io-go PORT DIRECTORY
package main

import (
	"fmt"
	"net/http"
	"os"
)

func hello(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	w.Write([]byte("Hello, World!\n"))
}

func main() {
	http.HandleFunc("/hello", hello)
	http.Handle("/", http.FileServer(http.Dir(os.Args[2])))
	fmt.Fprintln(os.Stderr, http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
	os.Exit(1)
}

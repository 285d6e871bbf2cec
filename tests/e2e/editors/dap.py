#!/usr/bin/env python3
"""A debugging session: a breakpoint in a callback of the standard library's, the stack, a value, the end.

usage: dap.py CONSOLE PROGRAM LINE COMMAND...   COMMAND is the debug adapter's. Prints what was seen as JSON.
"""
import json
import os
import subprocess
import sys

console, program, line, *command = sys.argv[1:]
adapter = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
count = 0
events = []


def receive():
    length = 0
    while True:
        header = adapter.stdout.readline()
        if header == b"":
            raise SystemExit("the adapter has ended")
        if header.strip() == b"":
            message = json.loads(adapter.stdout.read(length))
            if message.get("command") != "runInTerminal" or message["type"] != "request":
                return message
            run_in_terminal(message)
        if header.lower().startswith(b"content-length"):
            length = int(header.split(b":")[1])


def run_in_terminal(request):
    asked = request["arguments"]
    terminal = subprocess.Popen(
        asked["args"], cwd=asked["cwd"], env={**os.environ, **asked["env"]}, stdin=subprocess.DEVNULL, stdout=sys.stderr
    )
    answer = {"type": "response", "request_seq": request["seq"], "command": "runInTerminal", "success": True}
    put({**answer, "body": {"processId": terminal.pid}})


def send(command, arguments):
    return put({"type": "request", "command": command, "arguments": arguments})


def put(message):
    global count
    count += 1
    body = json.dumps({"seq": count, **message}).encode()
    adapter.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    adapter.stdin.flush()
    return count


def answer(number):
    while True:
        message = receive()
        if message["type"] == "response" and message["request_seq"] == number:
            if not message["success"]:
                raise SystemExit(f"refused: {message}")
            return message.get("body", {})
        events.append(message)


def event(name):
    while True:
        for at, message in enumerate(events):
            if message.get("event") == name:
                return events.pop(at).get("body", {})
        events.append(receive())


seen = {}
answer(send("initialize", {"adapterID": "python", "pathFormat": "path", "supportsRunInTerminalRequest": True}))
launch = send("launch", {
    "program": program, "cwd": os.path.dirname(program), "console": console, "justMyCode": False,
    "env": {"LIBRARY": f"{os.path.dirname(program)}/lib:/usr/lib"}, "args": [f"--data={program}"],
})
event("initialized")
source = {"path": program, "name": os.path.basename(program)}
set_ = answer(send("setBreakpoints", {"source": source, "breakpoints": [{"line": int(line)}]}))
seen["breakpoints"] = [[b["verified"], b["source"]["path"]] for b in set_["breakpoints"]]
done = send("configurationDone", {})
answer(launch)
thread = event("stopped")["threadId"]
frames = answer(send("stackTrace", {"threadId": thread}))["stackFrames"]
seen["stack"] = list(dict.fromkeys(frame["source"]["path"] for frame in frames))
seen["process"] = event("process")["name"]
value = "__import__('os').environ['LIBRARY'] + ' ' + __import__('sys').argv[1]"
seen["value"] = answer(send("evaluate", {"expression": value, "frameId": frames[0]["id"], "context": "repl"}))["result"]
answer(send("continue", {"threadId": thread}))
event("terminated")
send("disconnect", {})
adapter.stdin.close()
adapter.stdout.read()
seen["code"] = adapter.wait()
print(json.dumps(seen))

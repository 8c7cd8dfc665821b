"""Loads the service with requests, good and hostile, and checks every answer, its counts, its memory and how it stops.

    load.py SERVICE ONNX_RUN ROOT

Answers are compared with what ONNX_RUN says of the same pictures. Python's standard library is all that is needed."""

import http.client
import itertools
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

CLIENTS = 64
REQUESTS = 150  # of each client
MAXIMAL_BODY = 65536
MEMORY_BOUND = 4 << 20  # bytes that the last third of the load may take beyond the first

SERVICE, ONNX_RUN, ROOT = sys.argv[1], sys.argv[2], Path(sys.argv[3])
MODEL = ROOT / "testdata/resnet-digits.onnx"
LABELS = ROOT / "testdata/digits.txt"
FILES = sorted((ROOT / "testdata/pictures").glob("digit-*.png")) + sorted(
    (Path(__file__).parent / "pictures").glob("digit-*.jpg"))


def check(condition, message):
    if not condition:
        sys.exit(f"load.py: {message}")


class Service:
    """The service, on a free port, until the block ends."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [SERVICE, "--preset", "unit", "--port", "0", "--top", "10", *options, MODEL, LABELS],
            stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.search(r"listening on 127\.0\.0\.1:(\d+)$", line)
        check(found, f"the service does not start: {line}")
        self.port = int(found[1])
        self.asked_for_metrics = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, method, path, body=None, connection=None):
        """One request's status, headers and body."""
        own = connection or self.connect()
        own.request(method, path, body)
        response = own.getresponse()
        result = response.status, response.headers, response.read()
        if not connection:
            own.close()
        return result

    def metrics(self):
        status, _, text = self.ask("GET", "/metrics")
        check(status == 200, f"/metrics: {status}")
        self.asked_for_metrics += 1
        lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def memory(self):
        """Resident bytes; none where there is no /proc."""
        try:
            text = Path(f"/proc/{self.process.pid}/status").read_text()
            return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) * 1024
        except FileNotFoundError:
            return 0

    def stop(self):
        """Asks the service to end, and waits until it turns connections away."""
        self.process.send_signal(signal.SIGTERM)
        for _ in range(1000):
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                pass
            time.sleep(0.005)
        check(False, "a service that stops still takes connections")


def references():
    """What onnx-run says of each picture, by the picture's bytes."""
    lines = subprocess.run(
        [ONNX_RUN, MODEL, "--image", *FILES, "--labels", LABELS, "--preset", "unit", "--top", "10",
         "--format", "json"], check=True, capture_output=True, text=True).stdout.splitlines()
    found = {Path(line["file"]).read_bytes(): line["top"] for line in map(json.loads, lines)}
    check(len(found) == len(FILES) == 20, f"{len(found)} pictures, {len(FILES)} files")
    return found


EXPECTED = references()


def is_right(picture, body):
    """Whether an answer is onnx-run's: the same labels in the same order, and scores to the last digits."""
    top, wanted = json.loads(body)["top"], EXPECTED[picture]
    return len(top) == len(wanted) and all(
        (a["index"], a["label"]) == (b["index"], b["label"])
        and all(abs(a[key] - b[key]) <= 1e-6 * max(1, abs(b[key])) for key in ("score", "probability"))
        for a, b in zip(top, wanted))


class Client(threading.Thread):
    """Sends pictures over a connection that is kept, with hostile requests among them, and counts what came of it."""

    def __init__(self, service, number, requests, hostile):
        super().__init__()
        self.service, self.number, self.requests, self.hostile = service, number, requests, hostile
        self.statuses, self.aborted, self.faults = Counter(), 0, []
        self.connection = service.connect()

    def run(self):
        try:
            pictures = itertools.islice(itertools.cycle(EXPECTED), self.number, None)
            for index, picture in zip(range(self.requests), pictures):
                self.send_picture(picture)
                if self.hostile and index % 10 == self.number % 10:
                    self.send_hostile(index // 10 + self.number, picture)
        except Exception as error:  # A request that is lost: the thread ends, and the test fails.
            self.faults.append(f"client {self.number}: {error!r}")
        self.connection.close()

    def expect(self, statuses, method, path, body=None):
        status, headers, answer = self.service.ask(method, path, body, self.connection)
        self.statuses[status] += 1
        if status not in statuses:
            self.faults.append(f"{method} {path}: {status} {answer[:200]!r}")
        if status == 503 and not headers["Retry-After"]:
            self.faults.append("503 without Retry-After")
        if status == 405 and not headers["Allow"]:
            self.faults.append("405 without Allow")
        if status >= 400 and not json.loads(answer)["error"]:
            self.faults.append(f"{status} without a reason")
        return status, answer

    def send_picture(self, picture):
        status, answer = self.expect([200, 503], "POST", "/classify", picture)
        if status == 200 and not is_right(picture, answer):
            self.faults.append(f"wrong: {answer[:200]!r}")

    def send_hostile(self, kind, picture):
        match kind % 7:
            case 0: self.expect([400], "POST", "/classify", b"no picture" * 100)
            case 1: self.expect([400, 200], "POST", "/classify", picture[: len(picture) // 2])
            case 2: self.expect([400], "POST", "/classify", b"")
            case 3: self.expect([413], "POST", "/classify", picture + bytes(MAXIMAL_BODY))
            case 4: self.expect([405], "GET", "/classify")
            case 5: self.expect([404], "GET", "/../etc/passwd")
            case 6: self.hang_up(picture)

    def hang_up(self, picture):
        with socket.create_connection(("127.0.0.1", self.service.port), 30) as raw:
            raw.sendall(head(picture) + picture[:100])
        self.aborted += 1


def head(picture):
    return f"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: {len(picture)}\r\n\r\n".encode()


def drive(service, requests, hostile):
    """All clients at once; what they counted together, and the memory that the service had meanwhile."""
    clients = [Client(service, number, requests, hostile) for number in range(CLIENTS)]
    memory = []
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients):
        memory.append(service.memory())
        time.sleep(0.02)
    faults = [fault for client in clients for fault in client.faults]
    check(not faults, f"{len(faults)} faults, such as {faults[:3]}")
    return sum((client.statuses for client in clients), Counter()), sum(client.aborted for client in clients), memory


def check_counts(service, statuses, aborted):
    """The service must count what the clients counted. The end of a request may reach it a little later than the client."""
    for _ in range(500):
        wanted = statuses + Counter({200: service.asked_for_metrics})
        metrics = service.metrics()
        counted = {int(name[-5:-2]): value for name, value in metrics.items() if name.startswith("classify_requests_total")}
        found = counted, metrics["classify_requests_aborted_total"], metrics["classify_requests_in_flight"]
        if found == (wanted, aborted, 1):
            return metrics
        time.sleep(0.01)
    check(False, f"counted {found}; sent {dict(wanted)}, {aborted} aborted, and the request for metrics itself")


def check_load():
    with Service("--max-body", str(MAXIMAL_BODY)) as service:
        check(service.ask("GET", "/healthz")[0] == 200, "/healthz")
        warm, _, _ = drive(service, 10, False)
        start = time.monotonic()
        statuses, aborted, memory = drive(service, REQUESTS, True)
        seconds = time.monotonic() - start
        total = sum(statuses.values()) + aborted
        check(statuses[503] == 0, "503 although the queue has a place for each client")
        check(min(statuses[code] for code in (400, 404, 405, 413)) > 0 and aborted > 0, "hostile requests were not sent")
        metrics = check_counts(service, statuses + warm + Counter({200: 1}), aborted)
        check(metrics["classify_duration_seconds_count"] >= CLIENTS * (REQUESTS + 10), "durations were not noted")
        if not any(memory):
            print("SKIPPED: the service's memory is read from /proc, which this system does not have")
        third = len(memory) // 3
        first, last = max(memory[:third]), max(memory[-third:])
        check(last <= first + MEMORY_BOUND, f"memory grew from {first} to {last} bytes")
        print(f"{CLIENTS} clients, {total} requests in {seconds:.1f} s: {dict(sorted(statuses.items()))}, {aborted} hung up; "
              f"memory {first / 2**20:.1f} MiB, then {last / 2**20:.1f} MiB")


def check_full_queue():
    with Service("--concurrency", "1", "--queue", "1") as service:
        statuses, _, _ = drive(service, 20, False)
        check(statuses[200] > 0 and statuses[503] > 0, f"a queue of one place: {statuses}")
        check_counts(service, statuses, 0)
        picture = next(iter(EXPECTED))
        status, _, answer = service.ask("POST", "/classify", picture)
        check(status == 200 and is_right(picture, answer), "the service does not recover from a full queue")
        print(f"a queue of one place: {dict(statuses)}")


def check_stop():
    """Requests that have begun are answered, new ones turned away."""
    with Service() as service:
        idle = service.connect()
        service.ask("GET", "/healthz", connection=idle)
        begun = []
        for picture in EXPECTED:
            raw = socket.create_connection(("127.0.0.1", service.port), 30)
            raw.sendall(head(picture) + picture[:100])
            begun.append((raw, picture))
        while service.metrics()["classify_requests_in_flight"] < len(begun) + 1:
            time.sleep(0.01)
        service.stop()
        status, headers, _ = service.ask("GET", "/healthz", connection=idle)
        check(status == 503 and headers["Connection"] == "close", f"a request after the stop: {status}")
        check(service.process.poll() is None, "the service ended with requests in flight")
        for raw, picture in begun:
            raw.sendall(picture[100:])
        for raw, picture in begun:
            response = http.client.HTTPResponse(raw)
            response.begin()
            check(response.status == 200 and is_right(picture, response.read()), f"in flight: {response.status}")
            raw.close()
        check(service.process.wait(10) == 0, f"status {service.process.returncode} after a stop")
        print(f"stop: {len(begun)} requests in flight were answered")


def check_stubborn_client():
    """A client that sends for ever does not keep the service from ending."""
    with Service("--timeout", "1") as service:
        picture = next(iter(EXPECTED))
        with socket.create_connection(("127.0.0.1", service.port), 30) as raw:
            raw.sendall(head(picture))
            while service.metrics()["classify_requests_in_flight"] < 2:
                time.sleep(0.01)
            service.stop()
            for byte in picture[:100]:
                if service.process.poll() is not None:
                    break
                try:
                    raw.sendall(bytes([byte]))
                except OSError:
                    pass
                time.sleep(0.1)
        check(service.process.wait(10) == 1, f"status {service.process.returncode} with a request left")


def check_start():
    """Mistakes show when the service starts, in words."""
    with Service() as service:
        taken = str(service.port)
        wrong = [
            (["none.onnx", LABELS], 2, "none.onnx"),
            ([LABELS, LABELS], 2, "digits.txt is "),
            ([MODEL, "none.txt"], 2, "none.txt"),
            ([MODEL, MODEL.parent / "README.md"], 2, "has 10 classes"),
            (["--port", taken, MODEL, LABELS], 2, f"cannot listen on 127.0.0.1:{taken}: Address already in use"),
            (["--address", "nowhere", MODEL, LABELS], 2, "'nowhere' is no IPv4 address"),
            ([MODEL], 64, "--help"),
            (["--queue", "many", MODEL, LABELS], 64, "--queue many"),
            (["--quue", "1", MODEL, LABELS], 64, "--quue"),
            (["--help"], 0, "USAGE: ClassifyService"),
        ]
        for arguments, status, words in wrong:
            options = [] if "--port" in arguments else ["--port", "0"]
            found = subprocess.run([SERVICE, "--preset", "unit", *options, *arguments], capture_output=True, text=True, timeout=30)
            check(found.returncode == status and words in found.stdout + found.stderr,
                  f"{arguments}: status {found.returncode}, {found.stderr}")


check_start()
check_load()
check_full_queue()
check_stop()
check_stubborn_client()

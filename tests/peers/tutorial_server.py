"""A server as in a first tutorial on sockets: the first free port of 9000-9998, a thread a client,
what one recv brings is a message, each field of it (split at commas) is answered with the same text."""
import socket
import threading

ANSWER = b"Echo from server"


def fields(message):
    return message.split(",") if message else []


def serve(client, address):
    with client:
        while True:
            try:
                message = client.recv(999)
            except OSError:
                break
            if not message:
                break
            for field in fields(message.decode()):
                print(f"Received {field} from {address}", flush=True)
                client.sendall(ANSWER)
    print(f"{address} disconnected", flush=True)


def listener():
    for port in range(9000, 9999):
        door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("127.0.0.1", port))
            door.listen()
        except OSError:
            door.close()
            continue
        print(f"Bound to {port}", flush=True)
        return door
    raise SystemExit("no free port")


def main():
    door = listener()
    while True:
        client, address = door.accept()
        print(f"Connected by {address}", flush=True)
        threading.Thread(target=serve, args=(client, address), daemon=True).start()


main()

"""A server as in a first tutorial on sockets: a thread for each client, and a received message is the result of one
recv. Each field of a message (split at commas) is answered with the same text."""
import socket
import threading


def serve(client, address):
    while message := client.recv(999):
        for field in message.decode().split(","):
            print(f"Received {field} from {address}", flush=True)
            client.sendall(b"Echo from server")
    client.close()
    print(f"{address} disconnected", flush=True)


server = socket.create_server(("127.0.0.1", 0))
print("Bound to", server.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=server.accept(), daemon=True).start()

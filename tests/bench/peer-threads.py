# An echo server as the tutorials have it: a thread for each connection.
import socket
import sys
import threading


def talk(connection):
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096)
while True:
    connection = listener.accept()[0]
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=talk, args=(connection,), daemon=True).start()

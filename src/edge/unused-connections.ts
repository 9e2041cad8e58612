/** Connections on which no request has come yet: Node does not count them as idle, and an end would wait for them. */
import type { Server } from "node:http";
import type { Socket } from "node:net";

/**
 * Watches the server from its start.
 *
 * @returns ends those connections, and later ones as they come; to be called once, when the server is about to close
 */
export function endUnused(server: Server): () => void {
  const unused = new Set<Socket>();
  let isClosing = false;
  server.on("connection", (socket) => {
    if (isClosing) {
      socket.destroy();
      return;
    }
    unused.add(socket);
    socket.once("close", () => unused.delete(socket));
  });
  server.on("request", ({ socket }) => unused.delete(socket));
  return () => {
    isClosing = true;
    for (const socket of unused) socket.destroy();
  };
}

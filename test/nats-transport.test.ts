/** The transport over a real nats-server, killed and wiped. */
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { transportContract } from "../src/testing/index.js";
import { natsStreamName, openNatsTransport } from "../src/transport/nats/index.js";
import { startNats } from "./support/nats-server.js";

transportContract({ describe, it, beforeAll, afterAll }, "nats", async () => {
  const server = await startNats();
  const transport = await openNatsTransport({ servers: [server.url] });
  return {
    transport,
    restart: async (options) => {
      const { reconnects } = transport;
      await server.kill9();
      await server.start(options);
      while (transport.reconnects === reconnects) await new Promise((resolve) => setTimeout(resolve, 20));
    },
    close: async () => {
      await transport.close();
      await server.close();
    },
  };
});

describe("a server that cannot be used", () => {
  it("is told apart: nobody answers, and one that stores nothing", async () => {
    await expect(openNatsTransport({ servers: ["nats://127.0.0.1:9"] })).rejects.toMatchObject({ code: "unavailable" });
    const server = await startNats({ jetStream: false });
    const opening = openNatsTransport({ servers: [server.url] });
    await expect(opening).rejects.toMatchObject({ code: "transport_unsupported" });
    await server.close();
  });

  it("keeps its stream from being emptied by a client", async () => {
    const server = await startNats();
    const transport = await openNatsTransport({ servers: [server.url] });
    const connection = await connect({ servers: server.url });
    const manager = await jetstreamManager(connection);
    await transport.publish({ subject: "eventplane.fact.t.a", id: "1", body: Buffer.from("{}") });
    await expect(manager.streams.purge(natsStreamName)).rejects.toThrow("purge not permitted");
    await expect(manager.streams.deleteMessage(natsStreamName, 1)).rejects.toThrow("delete not permitted");
    await connection.close();
    await transport.close();
    await server.close();
  });
});

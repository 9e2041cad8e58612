/** The role that hands the log to the transport. It holds no signing key: what it publishes was signed when it was appended. */
import { systemRandom } from "../../kernel/index.js";
import { PostgresReader } from "../../store/postgres/index.js";
import { Relay } from "../../transport/index.js";
import { PostgresRelayStore } from "../../transport/postgres/index.js";
import type { PlaneOptions } from "../plane-options.js";
import type { Shared } from "../shared.js";

/** What is handed to a transport that has nothing, and how long it keeps it, milliseconds. */
const keepMs = 86_400_000;

/** Starts it, where a transport is configured. NATS that is away holds up nothing but the relay. */
export function startRelay(options: PlaneOptions, shared: Shared): void {
  const { transport } = options;
  if (transport === undefined) return;
  const { pools, clock, doorbell, metrics, loops, degraded } = shared;
  const relay = new Relay({
    open: async () => {
      // The client is loaded only where there is a transport.
      const { openNatsTransport } = await import("../../transport/nats/index.js");
      return openNatsTransport({ ...transport, keepMs });
    },
    store: new PostgresRelayStore(pools.relay, { holder: shared.processId, refillMs: keepMs }),
    reader: new PostgresReader(pools.relay),
    clock,
    random: systemRandom,
    logger: options.logger.child({ role: "relay" }),
    metrics,
    doorbell,
  });
  degraded.push(() => relay.degraded);
  loops.start("relay", (signal) => relay.run(signal));
}

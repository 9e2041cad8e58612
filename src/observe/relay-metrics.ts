/** What relays report. */
import { Counter, Gauge, type Registry } from "prom-client";
import { label } from "./label.js";

/** Of the relay of a process. Methods never throw. */
export interface RelayMetrics {
  /** An event was handed over: `published`, `repeated` (the transport had it), `replaced` by a notice of it. */
  relayed(result: string): void;
  /** How far the transport is behind the log; what is not given stays as it was. */
  relayLag(lag: { readonly events?: number; readonly seconds?: number }): void;
  /** Cursors of so many tenants went back: `reconnect`, or `refill` of a transport that had nothing. */
  relayRewound(reason: string, tenants: number): void;
  /** Whether events can be handed over. */
  relayConnected(isConnected: boolean): void;
}

/** Makes them in the registry. */
export function relayMetrics(registry: Registry): RelayMetrics {
  const registers = [registry];
  const relayed = new Counter({
    name: "eventplane_relay_events_total",
    help: "Events handed to the transport, by what became of them.",
    labelNames: ["result"],
    registers,
  });
  const lagEvents = new Gauge({
    name: "eventplane_relay_lag_events",
    help: "Events of all tenants that are still to be handed to the transport.",
    registers,
  });
  const lagSeconds = new Gauge({
    name: "eventplane_relay_lag_seconds",
    help: "Age of the oldest event of the page that is handed over.",
    registers,
  });
  const rewound = new Counter({
    name: "eventplane_relay_rewinds_total",
    help: "Tenants whose events were handed over again, by reason.",
    labelNames: ["reason"],
    registers,
  });
  const connected = new Gauge({
    name: "eventplane_relay_connected",
    help: "1 while the relay of this process can hand events over.",
    registers,
  });
  return {
    relayed: (result) => relayed.inc({ result: label(result) }),
    relayLag: ({ events, seconds }) => {
      if (events !== undefined) lagEvents.set(events);
      if (seconds !== undefined) lagSeconds.set(seconds);
    },
    relayRewound: (reason, tenants) => rewound.inc({ reason: label(reason) }, tenants),
    relayConnected: (isConnected) => connected.set(isConnected ? 1 : 0),
  };
}

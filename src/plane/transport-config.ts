/** The transport of the configuration. */
import { EventplaneError } from "../kernel/errors.js";
import type { NatsTransportOptions } from "../transport/nats/index.js";
import type { Config } from "./config.js";

/** Where the transport is. */
export type TransportOptions = Pick<NatsTransportOptions, "servers" | "credential" | "replicas">;

const serverForm = /^(?:nats|tls):\/\/[^\s@/]+(?::\d+)?$/;
const credsMark = "-----BEGIN NATS USER JWT-----";
const seedForm = /^SU[A-Z2-7]{56}$/;

/**
 * Where the relay publishes; undefined when no `nats.url` is set.
 *
 * @throws EventplaneError `config_invalid` for an address that is none, or that holds a password
 */
export function transportOf(config: Config): TransportOptions | undefined {
  const servers = config.texts("nats.url");
  if (servers.length === 0) return undefined;
  if (servers.some((server) => !serverForm.test(server))) {
    throw new EventplaneError(
      "config_invalid",
      "Setting nats.url holds addresses like nats://host:4222 or tls://host:4222, with commas. Credentials go into nats.credential.",
      { details: { name: "nats.url" } },
    );
  }
  const credential = config.text("nats.credential");
  return {
    servers,
    replicas: config.integer("nats.replicas"),
    ...(credential === undefined ? {} : { credential: credentialOf(credential) }),
  };
}

/** Each kind tells by its form what it is. */
function credentialOf(text: string): NonNullable<TransportOptions["credential"]> {
  if (text.includes(credsMark)) return { kind: "creds", text };
  return seedForm.test(text) ? { kind: "nkey", seed: text } : { kind: "token", token: text };
}

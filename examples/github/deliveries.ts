/**
 * The 329 webhook payloads of `@octokit/webhooks-examples` as intents, each validated against `@octokit/webhooks-schemas`.
 *
 * In version 7.6.1 of both, 277 fit. 48 were recorded before GitHub added members that are required now, and 4
 * contradict their schema; a webhook that came is a webhook that came, so all are recorded, with the verdict.
 */
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { Ajv } from "ajv";

const require = createRequire(import.meta.url);

/** A payload of GitHub; nothing of it is sure. */
export interface Payload {
  readonly repository?: { readonly id: number };
  readonly organization?: { readonly id: number };
  readonly installation?: { readonly id: number };
  readonly [member: string]: unknown;
}

/** One intent `repository.record-delivery`. */
export interface DeliveryIntent {
  readonly id: string;
  readonly type: "repository.record-delivery";
  readonly aggregateId: string;
  readonly spec: { readonly event: string; readonly conforms: boolean; readonly payload: Payload };
}

/** A recorded delivery: what GitHub names the event, and the payload. */
export interface RecordedDelivery {
  readonly event: string;
  readonly payload: Payload;
}

/** The deliveries as GitHub sent them, in the order of the package. */
export function recordedDeliveries(): readonly RecordedDelivery[] {
  const groups = require("@octokit/webhooks-examples") as readonly { name: string; examples: readonly Payload[] }[]; // the package's documented shape
  return groups.flatMap(({ name, examples }) => examples.map((payload) => ({ event: name, payload })));
}

/** All deliveries in the order of the package; ids follow from the content, so publishing twice repeats. */
export function githubDeliveries(): readonly DeliveryIntent[] {
  const conforms = payloadValidator();
  const counts = new Map<string, number>();
  return recordedDeliveries().map(({ event, payload }): DeliveryIntent => {
    const index = counts.get(event) ?? 0;
    counts.set(event, index + 1);
    return {
      id: idOf(`${event}/${index}/${JSON.stringify(payload)}`),
      type: "repository.record-delivery",
      aggregateId: owner(payload),
      spec: { event, conforms: conforms(event, payload), payload },
    };
  });
}

/** What a delivery is about. */
export function owner({ repository, organization, installation }: Payload): string {
  if (repository !== undefined) return `repository-${repository.id}`;
  if (organization !== undefined) return `organization-${organization.id}`;
  return installation === undefined ? "github" : `installation-${installation.id}`;
}

/** A UUIDv4-shaped id that follows from the text. */
function idOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Whether a payload fits the schema of its event and action; each is compiled on first use. */
export function payloadValidator(): (event: string, payload: Payload) => boolean {
  const schema = require("@octokit/webhooks-schemas/schema.json") as { definitions: Record<string, object> }; // JSON Schema draft 7
  const ajv = new Ajv({ strict: false, validateFormats: false, logger: false, inlineRefs: false });
  ajv.addSchema(schema, "github");
  return (event, payload) => {
    const exact = `${event}$${String(payload["action"])}`;
    const others = Object.keys(schema.definitions).filter(
      (name) => name.startsWith(`${event}$`) || name === `${event}_event`,
    );
    const names = exact in schema.definitions ? [exact] : others;
    return names.some((name) => ajv.getSchema(`github#/definitions/${encodeURIComponent(name)}`)?.(payload) === true);
  };
}

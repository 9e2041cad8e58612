/**
 * The text in which a call travels to the append functions, and their answer back into outcomes.
 *
 * Parts apart by 0x1d, lists by 0x1f, rare fields of an event by 0x1e; an empty field is null. JSON text holds none of these
 * bytes (RFC 8259 §7), the other fields are checked. The order is that of migration 0004.
 */
import type { DraftEvent, EventKind, Lifecycle } from "../../event/index.js";
import { assert, type EventId, formatUs, type TenantId } from "../../kernel/index.js";
import type {
  AppendItem,
  AppendOutcome,
  ExpectedVersion,
  LifecycleEffect,
  Receipt,
  RefusalCode,
  SignedAppend,
} from "../port.js";

const partSeparator = "\u001d";
const rareSeparator = "\u001e";
const fieldSeparator = "\u001f";
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the bytes that a field must not hold
const forbidden = /[\u0000\u001d-\u001f]/;

/** Letters of `eventplane.events.kind`. */
export const kindLetters: Readonly<Record<EventKind, string>> = { intent: "i", fact: "f", internal: "n" };

const effectNumbers: Readonly<Record<LifecycleEffect, string>> = {
  creates: "1",
  updates: "2",
  deletes: "3",
  system: "4",
  derived: "5",
  finishes: "6",
};
const expectedCodes = { any: "-1", streamExists: "-2", noStream: "0" } as const;
const twiceInItsAppend = -1;

/** The parameters of append_edge_one for an append of one event, the first leaf of its commit. */
export function encodeOne({ items, commitProof, firstLeaf }: SignedAppend): (string | null)[] {
  const [item] = items;
  assert(item !== undefined && items.length === 1 && firstLeaf === 0, "one event, the first leaf");
  const { event, effect, expectedVersion, expectedGeneration } = item;
  return [
    event.tenantId,
    `\\x${hexOf(commitProof)}`,
    event.causedByText,
    effectNumbers[effect],
    expectedText(expectedVersion),
    expectedGeneration === undefined ? "-1" : String(expectedGeneration),
    event.kind,
    event.id,
    event.aggregateType,
    event.aggregateId,
    event.type,
    String(event.schemaVersion),
    event.specText,
    event.correlationId === event.id ? null : event.correlationId,
    event.causationId,
    event.occurredAt,
    event.source,
    event.traceparent,
    event.keyRefsText,
    event.finalizersText === "{}" ? null : event.finalizersText,
  ];
}

/** The outcome of append_edge_one, which was not null. */
export function decodeOne({ items }: SignedAppend, answer: string): AppendOutcome {
  const [code, position, version, generation, lifecycle, hash, recordedAtUs] = answer.split(fieldSeparator);
  const [item] = items;
  assert(item !== undefined && code !== undefined, "one event");
  if (code !== "") {
    const current = { version: number(version), generation: number(generation), lifecycle: lifecycleOf(lifecycle) };
    return { result: "refused", code: code as RefusalCode, index: 0, current }; // the function knows these codes only
  }
  const { id, tenantId, aggregateType, aggregateId, correlationId } = item.event;
  const receipt: Receipt = {
    id,
    tenantId,
    aggregateType,
    aggregateId,
    version: number(version),
    position: number(position),
    generation: number(generation),
    correlationId,
    hash: hash ?? "",
    recordedAt: formatUs(number(recordedAtUs)),
  };
  return { result: "appended", receipts: [receipt] };
}

function expectedText(expected: ExpectedVersion): string {
  return typeof expected === "number" ? String(expected) : expectedCodes[expected];
}

/** The one parameter of an append function. */
export function encodeCall(call: readonly SignedAppend[]): string {
  return new CallWriter(call).text();
}

/** Collects the parts of a call in one pass over its events. */
class CallWriter {
  readonly #tenants: readonly TenantId[];
  readonly #proofs: Map<Uint8Array, string> = new Map();
  readonly #causes: Map<string, string> = new Map();
  readonly #streams: Map<string, string> = new Map();
  readonly #ids: Map<string, { readonly first: number; readonly append: number }> = new Map();
  readonly #leases: string[] = [];
  readonly #events: string[] = [];
  readonly #lastOfAppend: string[] = [];
  readonly #firstOfStream: string[] = [];
  readonly #numbers: string[][] = [[], [], [], [], [], [], [], []];
  readonly #twins: number[] = [];
  #hasTwins = false;

  constructor(call: readonly SignedAppend[]) {
    this.#tenants = [...new Set(call.map(({ tenantId }) => tenantId))].sort();
    for (const [index, append] of call.entries()) this.#addAppend(append, index + 1);
  }

  text(): string {
    const numbers = [this.#lastOfAppend, this.#firstOfStream, ...this.#numbers].map(arrayText);
    return [
      this.#tenants.join(fieldSeparator),
      [...this.#proofs.keys()].map(hexOf).join(fieldSeparator),
      [...this.#causes.keys()].join(fieldSeparator),
      this.#leases.join(fieldSeparator),
      [...numbers, this.#hasTwins ? arrayText(this.#twins) : ""].join(fieldSeparator),
      this.#events.join(fieldSeparator),
    ].join(partSeparator);
  }

  #addAppend({ tenantId, lease, items, commitProof, firstLeaf }: SignedAppend, append: number): void {
    const tenant = this.#tenants.length === 1 ? "1" : String(this.#tenants.indexOf(tenantId) + 1);
    const proof = numberOf(this.#proofs, commitProof);
    for (const [index, item] of items.entries()) {
      this.#addNumbers(item, { append, tenant, proof, leaf: firstLeaf + index });
      pushEvent(this.#events, item.event);
    }
    this.#lastOfAppend.push(String(this.#twins.length));
    if (lease === undefined) return;
    const { aggregateType, aggregateId, component, leaseToken, dueAfterMs } = lease;
    const fields = [aggregateType, aggregateId, component, leaseToken];
    assert(!fields.some((field) => forbidden.test(field)), "no separator is in a field of a lease");
    this.#leases.push(String(append), ...fields, text(dueAfterMs));
  }

  #addNumbers(
    { event, effect, expectedVersion, expectedGeneration }: AppendItem,
    place: { readonly append: number; readonly tenant: string; readonly proof: string; readonly leaf: number },
  ): void {
    const [tenants, streams, proofs, leaves, causes, effects, versions, generations] = this.#numbers;
    const stream = `${place.tenant} ${event.aggregateType} ${event.aggregateId}`;
    if (!this.#streams.has(stream)) this.#firstOfStream.push(String(this.#twins.length + 1));
    tenants?.push(place.tenant);
    streams?.push(numberOf(this.#streams, stream));
    proofs?.push(place.proof);
    leaves?.push(String(place.leaf));
    causes?.push(this.#causeOf(event.causedByText));
    effects?.push(effectNumbers[effect]);
    versions?.push(expectedText(expectedVersion));
    generations?.push(expectedGeneration === undefined ? "-1" : String(expectedGeneration));
    this.#twins.push(this.#twinOf(`${place.tenant} ${event.id}`, place.append));
  }

  #causeOf(causedByText: string): string {
    const known = this.#causes.get(causedByText);
    if (known === undefined) assert(!forbidden.test(causedByText), "no separator is in a causedBy");
    return known ?? numberOf(this.#causes, causedByText);
  }

  /** The number of the first event of the call with this id, 0 when this is it. */
  #twinOf(id: string, append: number): number {
    const known = this.#ids.get(id);
    this.#ids.set(id, { first: known?.first ?? this.#twins.length + 1, append });
    if (known === undefined) return 0;
    this.#hasTwins = true;
    return known.append === append ? twiceInItsAppend : known.first;
  }
}

/** The number of a key from 1, given out in the order of their coming. */
function numberOf<Key>(numbers: Map<Key, string>, key: Key): string {
  const known = numbers.get(key);
  if (known !== undefined) return known;
  const number = String(numbers.size + 1);
  numbers.set(key, number);
  return number;
}

function arrayText(elements: readonly (string | number)[]): string {
  return `{${elements.join(",")}}`;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

function pushEvent(into: string[], event: DraftEvent): void {
  const { id, kind, aggregateType, aggregateId, type, schemaVersion, specText } = event;
  // Ids, types and kinds were checked for their forms.
  assert(!forbidden.test(specText), "no separator is in a spec");
  const letter = kindLetters[kind];
  into.push(letter, id, aggregateType, aggregateId, type, String(schemaVersion), specText, rareFields(event));
}

function rareFields(event: DraftEvent): string {
  const { decision } = event;
  const fields = [
    event.correlationId === event.id ? "" : event.correlationId,
    text(event.causationId),
    text(event.occurredAt),
    text(event.source),
    text(event.traceparent),
    text(event.keyRefsText),
    event.finalizersText === "{}" ? "" : event.finalizersText,
    event.statusText === "{}" ? "" : event.statusText,
  ];
  if (decision !== null) {
    fields.push(decision.component, String(decision.basisVersion), String(decision.step), decision.now);
    fields.push(decision.emits === undefined ? "" : JSON.stringify(decision.emits));
    fields.push(decision.lookups === undefined ? "" : JSON.stringify(decision.lookups));
  }
  if (fields.every((field) => field === "")) return "";
  assert(!fields.some((field) => forbidden.test(field)), "no separator is in a field of an event");
  return fields.join(rareSeparator);
}

/** Nothing travels as an empty field, so a present text must not be empty. */
function text(value: string | number | null | undefined): string {
  assert(value !== "", "an optional field of an event is absent or not empty");
  return value === null || value === undefined ? "" : String(value);
}

const lifecycles: Readonly<Record<string, Lifecycle>> = { n: "none", l: "live", d: "deleting", x: "deleted" };

/** The word of a letter of `eventplane.events.lifecycle`. */
export function lifecycleOf(letter: string | null | undefined): Lifecycle {
  const lifecycle = lifecycles[letter ?? ""];
  assert(lifecycle !== undefined, "the database gave a lifecycle");
  return lifecycle;
}

/** Outcome numbers of migration 0004. */
const outcomes = { added: "1", repeated: "2", refused: "4" } as const;

interface Answer {
  readonly outcomes: readonly string[];
  readonly codes: readonly string[];
  readonly positions: readonly string[];
  readonly versions: readonly string[];
  readonly generations: readonly string[];
  readonly lifecycles: readonly string[];
  readonly hashes: readonly string[];
  /** Of each tenant of the call. */
  readonly recordedAt: ReadonlyMap<TenantId, string>;
  /** What was there before, by the number of its event. */
  readonly referred: ReadonlyMap<number, readonly string[]>;
}

/** The outcomes of a call, in the order of its appends. */
export function decodeOutcomes(call: readonly SignedAppend[], answer: string): readonly AppendOutcome[] {
  const lists = answer.split(fieldSeparator);
  const list = (index: number): readonly string[] => lists[index]?.split(",") ?? [];
  const tenants = [...new Set(call.map(({ tenantId }) => tenantId))].sort();
  const times = list(7);
  const referred = (lists[8] ?? "").split(partSeparator).map((row) => row.split(rareSeparator));
  const decoded: Answer = {
    outcomes: list(0),
    codes: list(1),
    positions: list(2),
    versions: list(3),
    generations: list(4),
    lifecycles: list(5),
    hashes: list(6),
    recordedAt: new Map(tenants.map((tenantId, index) => [tenantId, formatUs(number(times[index]))])),
    referred: new Map(lists[8] === undefined ? [] : referred.map((row) => [Number(row[0]), row])),
  };
  let first = 0;
  return call.map((append) => {
    first += append.items.length;
    return outcomeOf(append, decoded, first - append.items.length);
  });
}

function outcomeOf({ items, tenantId }: SignedAppend, answer: Answer, first: number): AppendOutcome {
  const receipts: Receipt[] = [];
  let repeated = false;
  for (const [index, { event }] of items.entries()) {
    const at = first + index;
    const outcome = answer.outcomes[at];
    if (outcome === outcomes.refused) return refused(answer, at, index);
    if (outcome === outcomes.repeated) repeated = true;
    const known = answer.referred.get(at + 1);
    if (outcome === outcomes.added) receipts.push(receiptOfAdded(event, answer, at));
    else if (known !== undefined) receipts.push(receiptOfKnown(tenantId, known));
  }
  if (repeated) return { result: "repeated", receipts, contentDiffers: answer.codes[first] === "content_differs" };
  assert(receipts.length === items.length, "the append function answers for every event");
  return { result: "appended", receipts };
}

function refused(answer: Answer, at: number, index: number): AppendOutcome {
  return {
    result: "refused",
    // The function knows these codes only.
    code: answer.codes[at] as RefusalCode,
    index,
    current: {
      version: number(answer.versions[at]),
      generation: number(answer.generations[at]),
      lifecycle: lifecycleOf(answer.lifecycles[at]),
    },
  };
}

const byteaPrefix = "\\x";

function receiptOfAdded(event: DraftEvent, answer: Answer, at: number): Receipt {
  const { id, tenantId, aggregateType, aggregateId, correlationId } = event;
  const hash = answer.hashes[at] ?? "";
  assert(hash.startsWith(byteaPrefix), "the database gives bytes as hexadecimal digits");
  return {
    id,
    tenantId,
    aggregateType,
    aggregateId,
    version: number(answer.versions[at]),
    position: number(answer.positions[at]),
    generation: number(answer.generations[at]),
    correlationId,
    hash: hash.slice(byteaPrefix.length),
    recordedAt: answer.recordedAt.get(tenantId) ?? "",
  };
}

function receiptOfKnown(tenantId: TenantId, row: readonly string[]): Receipt {
  const [, position, version, generation, , hash, recordedAtUs, id, aggregateType, aggregateId, correlationId] = row;
  return {
    id: id as EventId, // the column is a uuid
    tenantId,
    aggregateType: aggregateType ?? "",
    aggregateId: aggregateId ?? "",
    version: number(version),
    position: number(position),
    generation: number(generation),
    correlationId: correlationId ?? "",
    hash: hash ?? "",
    recordedAt: formatUs(number(recordedAtUs)),
  };
}

function number(value: string | undefined): number {
  const parsed = Number(value);
  assert(value !== undefined && value !== "" && Number.isSafeInteger(parsed), "the database gave a safe integer");
  return parsed;
}

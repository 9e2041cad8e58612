/** The attacks, class by class: what is sent, and what must come of it. */
import { limits, systemIds } from "../../kernel/index.js";
import { type Attack, type Expectation, intentOf } from "./attack.js";
import { everyRoute, otherTenant, repeats } from "./route-attacks.js";
import type { Scene } from "./scene.js";

/**
 * - `other-tenant`: the victim's addresses with the attacker's keys, over every route.
 * - `every-route`: of every route: no credential, a key without the right, hostile addresses, headers and bodies.
 * - `repeats`: of every route that takes an Idempotency-Key: the same request again and again, and other content under its key.
 * - `foreign-ids`: the victim's ids in the attacker's own tenant.
 * - `credentials`: the victim's addresses without a good key.
 * - `forged-fields`: members and headers that the plane alone writes.
 * - `hostile-json`: prototype keys, and texts that JSON parsers take differently.
 * - `escapes`: types, ids and paths that would mean something to a transport, a path or a log.
 * - `misshapen-specs`: specs that no schema takes, for every intent of the app.
 */
export type AttackClass =
  | "other-tenant"
  | "every-route"
  | "repeats"
  | "foreign-ids"
  | "credentials"
  | "forged-fields"
  | "hostile-json"
  | "escapes"
  | "misshapen-specs";

const refused: Expectation = { is: "refused" };
const harmless: Expectation = { is: "harmless" };

/** All attacks of a class on this scene. */
export const attackClasses: Readonly<Record<AttackClass, (scene: Scene) => readonly Attack[]>> = {
  "other-tenant": otherTenant,
  "every-route": everyRoute,
  repeats,
  "foreign-ids": foreignIds,
  credentials,
  "forged-fields": forgedFields,
  "hostile-json": hostileJson,
  escapes,
  "misshapen-specs": misshapenSpecs,
};

/** What there is to read about an event and its resource, below a tenant's address. */
function readsOf(names: {
  id: string;
  correlationId: string;
  aggregateType: string;
  aggregateId: string;
}): readonly string[] {
  const { id, correlationId, aggregateType, aggregateId } = names;
  const resource = `${aggregateType}/${encodeURIComponent(aggregateId)}`;
  return [
    `/events/${id}`,
    `/events/${id}/proof`,
    `/events?aggregateId=${encodeURIComponent(aggregateId)}`,
    `/events?correlationId=${correlationId}`,
    `/streams/${resource}`,
    `/resources/${resource}`,
    `/traces/${correlationId}`,
    `/subscribe?after=0&aggregateId=${encodeURIComponent(aggregateId)}`,
  ];
}

const ownForm = "*/*";
/** In which events can be asked for. */
const eventForms = [
  ownForm,
  "application/x-ndjson",
  "application/cloudevents+json",
  "application/cloudevents-batch+json",
] as const;

function foreignIds({ attacker, planted }: Scene): readonly Attack[] {
  const { key, slug } = attacker;
  return planted.flatMap(({ intent, receipt }) => {
    const { id, correlationId, aggregateType, aggregateId } = receipt;
    const other = { id: systemIds.uuid7(), correlationId: systemIds.uuid7(), aggregateId: systemIds.uuid7() };
    const names = [
      [id, other.id],
      [correlationId, other.correlationId],
      [aggregateId, other.aggregateId],
    ] as const;
    const twinReads = readsOf({ aggregateType, ...other });
    const reads = readsOf(receipt).flatMap((path, index) =>
      (path.startsWith("/events") || path.startsWith("/traces") ? eventForms : [ownForm]).map((accept): Attack => {
        const sent = { method: "GET", path: `/v1/tenants/${slug}${path}`, key, headers: { accept } } as const;
        const twin = { ...sent, path: `/v1/tenants/${slug}${twinReads[index] ?? ""}` };
        const what = `an id of another tenant looks like none, as ${accept}`;
        return { what, sent, expected: { is: "like", twin, names } };
      }),
    );
    const publish = (what: string, own: object, twin: object): Attack => {
      const sent = { method: "POST", path: `/v1/tenants/${slug}/intents`, key } as const;
      const body = (more: object): string => JSON.stringify({ ...intentOf(intent), ...more });
      return {
        what,
        sent: { ...sent, body: body(own) },
        expected: { is: "like", twin: { ...sent, body: body(twin) }, names },
      };
    };
    return [
      ...reads,
      publish(
        "an event id of another tenant is free here",
        { id, aggregateId: systemIds.uuid7() },
        { id: other.id, aggregateId: systemIds.uuid7() },
      ),
      publish("an aggregate id of another tenant is free here", { aggregateId }, { aggregateId: other.aggregateId }),
    ];
  });
}

function credentials({ attacker, victim }: Scene): readonly Attack[] {
  const path = `/v1/tenants/${victim.slug}/events`;
  const [, victimKeyId = ""] = victim.key.split("_");
  const [, , attackerSecret = ""] = attacker.key.split("_");
  const headers: readonly Readonly<Record<string, string>>[] = [
    {},
    { authorization: "" },
    { authorization: victim.key },
    { authorization: `Basic ${Buffer.from(`${victim.key}:`).toString("base64")}` },
    { authorization: `Bearer epk_${victimKeyId}_${attackerSecret}` },
    { authorization: `Bearer ${victim.key.slice(0, -1)}` },
    { authorization: `Bearer ${victim.key}x` },
    { authorization: `Bearer ${victim.key.toUpperCase()}` },
    { authorization: `Bearer epk_${victimKeyId}_` },
    { "x-api-key": victim.key },
    { cookie: `authorization=Bearer ${victim.key}` },
  ];
  return [
    ...headers.map(
      (given): Attack => ({ what: "no good key", sent: { method: "GET", path, headers: given }, expected: refused }),
    ),
    ...["api_key", "access_token", "authorization"].map((name): Attack => {
      const sent = { method: "GET", path: `${path}?${name}=${encodeURIComponent(victim.key)}` } as const;
      return { what: "a key in the address", sent, expected: refused };
    }),
  ];
}

const forgedMembers: Readonly<Record<string, unknown>> = {
  tenantId: "VICTIM",
  tenant: "VICTIM",
  kind: "fact",
  version: 1,
  position: 1,
  generation: 9,
  lifecycle: "deleted",
  causedBy: { principal: { type: "user", id: "admin" }, via: "system" },
  hash: "0".repeat(64),
  previousHash: "0".repeat(64),
  recordedAt: "2020-01-01T00:00:00.000000Z",
  logEpoch: 2,
  proof: {},
  status: { quota: { members: 1_000_000 } },
  finalizers: { quota: { completed: true, observedGeneration: 1 } },
  decision: { component: "runtime", basisVersion: 1, step: 0, now: "2020-01-01T00:00:00.000000Z" },
  keyRefs: {},
  source: "bank",
  effect: "finishes",
};
const forgedHeaders = ["x-tenant", "x-tenant-id", "x-eventplane-tenant", "tenantid", "x-forwarded-user", "x-principal"];

function forgedFields({ attacker, victim, planted }: Scene): readonly Attack[] {
  const sent = { method: "POST", path: `/v1/tenants/${attacker.slug}/intents`, key: attacker.key } as const;
  const members = Object.entries(forgedMembers).map(([name, value]): readonly [string, unknown] => [
    name,
    value === "VICTIM" ? victim.id : value,
  ]);
  return planted.flatMap(({ intent }) => [
    ...members.map(([name, value]): Attack => {
      const body = JSON.stringify({ ...intentOf(intent), [name]: value });
      return { what: `a forged ${name}`, sent: { ...sent, body }, expected: refused };
    }),
    ...members.slice(0, 2).map(([name, value]): Attack => {
      const body = JSON.stringify({ intents: [intentOf(intent)], [name]: value });
      return { what: `a forged ${name} around a list`, sent: { ...sent, body }, expected: refused };
    }),
    ...forgedHeaders.map((name): Attack => {
      const body = JSON.stringify(intentOf(intent));
      return {
        what: `a forged header ${name}`,
        sent: { ...sent, headers: { [name]: victim.id }, body },
        expected: harmless,
      };
    }),
  ]);
}

const hostileValues: Readonly<Record<string, string>> = {
  __proto__: '{"__proto__":{"polluted":true}}',
  "constructor.prototype": '{"constructor":{"prototype":{"polluted":true}}}',
  prototype: '{"prototype":{"polluted":true}}',
  "__proto__ below": '{"a":{"b":[{"__proto__":{"polluted":true}}]}}',
  "__proto__ escaped": '{"\\u005f\\u005fproto__":{"polluted":true}}',
  "a key twice": '{"a":1,"a":2}',
  "depth 5,000": `${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`,
  "an unsafe integer": '{"a":9007199254740993}',
  "a number without end": '{"a":1e400}',
  "minus zero": '{"a":-0}',
  "a lone surrogate": '{"a":"\\ud800"}',
  NUL: '{"a":"\\u0000"}',
};

function hostileJson({ attacker, planted }: Scene): readonly Attack[] {
  const sent = { method: "POST", path: `/v1/tenants/${attacker.slug}/intents`, key: attacker.key } as const;
  const attack = (what: string, body: string | Uint8Array): Attack => ({
    what,
    sent: { ...sent, body },
    expected: refused,
  });
  return planted.flatMap(({ intent }) => {
    const type = JSON.stringify(intent.type);
    const spec = JSON.stringify(intent.spec);
    return [
      ...Object.entries(hostileValues).flatMap(([what, value]) => [
        attack(`${what} as the spec`, `{"type":${type},"spec":${value}}`),
        attack(
          `${what} in the spec`,
          `{"type":${type},"spec":${spec.replace(/\}$/, `${spec === "{}" ? "" : ","}"x":${value}}`)}}`,
        ),
        attack(`${what} beside the spec`, `{"type":${type},"spec":${spec},${value.slice(1)}`),
      ]),
      attack("a type twice", `{"type":${type},"spec":${spec},"type":${type}}`),
      attack(
        "invalid UTF-8",
        Buffer.concat([Buffer.from(`{"type":${type},"spec":{"x":"`), Buffer.from([0xff, 0xfe]), Buffer.from('"}}')]),
      ),
      attack("two values", `{"type":${type},"spec":${spec}}{}`),
    ];
  });
}

const escapedIds = [
  "a/b",
  "../x",
  "a b",
  "*",
  ">",
  "a\u0000b",
  "x".repeat(200),
  "%2e%2e",
  "a\r\nPUB x 1",
  "\u202e",
  "",
  "a'--",
];

function escapes({ attacker, victim, planted, types }: Scene): readonly Attack[] {
  const { key, slug } = attacker;
  const sent = { method: "POST", path: `/v1/tenants/${slug}/intents`, key } as const;
  const roots = [...new Set(types.map(rootOf))];
  const hostileTypes = roots.flatMap((root) =>
    [
      ">",
      "*",
      ".create",
      "create.",
      "%2e",
      "create\r\nPUB x 1",
      "x".repeat(10_000),
      "ready",
      "deleted",
      "rejected",
      "dead-lettered",
    ].map((tail) => `${root}.${tail}`),
  );
  const system = [
    "tenant.create",
    "key.create",
    "key.revoke",
    "signing-key.introduced",
    "effect.resolved",
    "dead-letter.redriven",
    "",
    ".",
  ];
  const segments = [
    `..%2f${victim.slug}`,
    `${slug}%2f..%2f${victim.slug}`,
    "%2e%2e",
    "*",
    `${victim.slug}%00`,
    `${victim.slug}%20`,
    "%ff",
  ];
  return [
    ...[...hostileTypes, ...system].map(
      (type): Attack => ({
        what: `the type ${shown(type)}`,
        sent: { ...sent, body: JSON.stringify({ type, spec: {} }) },
        expected: refused,
      }),
    ),
    ...planted.flatMap(({ intent }) =>
      escapedIds.map((aggregateId): Attack => {
        const body = JSON.stringify({ ...intentOf(intent), aggregateId });
        return { what: `the aggregate id ${shown(aggregateId)}`, sent: { ...sent, body }, expected: refused };
      }),
    ),
    ...segments.map(
      (segment): Attack => ({
        what: `the tenant ${segment} in the address`,
        sent: { method: "GET", path: `/v1/tenants/${segment}/events`, key },
        expected: refused,
      }),
    ),
    ...roots.flatMap((root) =>
      escapedIds.map((id): Attack => {
        const path = `/v1/tenants/${slug}/resources/${root}/${encodeURIComponent(id)}`;
        return { what: `the id ${shown(id)} in an address`, sent: { method: "GET", path, key }, expected: harmless };
      }),
    ),
  ];
}

function misshapenSpecs({ attacker, planted, types }: Scene): readonly Attack[] {
  const sent = { method: "POST", path: `/v1/tenants/${attacker.slug}/intents`, key: attacker.key } as const;
  const attack = (type: string, spec: unknown, what: string): Attack => ({
    what: `${type} with ${what}`,
    sent: { ...sent, body: JSON.stringify({ type, aggregateId: systemIds.uuid4(), spec }) },
    expected: harmless,
  });
  const odd: readonly unknown[] = [null, [], {}, "", 0, -1, true, { x: null }, "x".repeat(limits.eventBytesMax)];
  return [
    ...types.flatMap((type) => odd.map((spec) => attack(type, spec, `the spec ${shown(JSON.stringify(spec))}`))),
    ...planted.flatMap(({ intent: { type, spec } }) =>
      Object.keys(spec).flatMap((member) =>
        odd.map((value) => attack(type, { ...spec, [member]: value }, `${member} ${shown(JSON.stringify(value))}`)),
      ),
    ),
  ];
}

function rootOf(type: string): string {
  return type.split(".", 1)[0] ?? type;
}

function shown(text: string): string {
  const printable = JSON.stringify(text);
  return printable.length > 60 ? `${printable.slice(0, 60)}…` : printable;
}

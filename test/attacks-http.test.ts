/** Attacks 1, 4 and 9 (first half) over HTTP: who publishes where, as what, and how often. */
import { v7 } from "uuid";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Answer,
  answerOf,
  call,
  type EdgeFixture,
  eventually,
  type FixtureTenant,
  refusalsIn,
  startEdge,
} from "./support/edge-fixture.js";
import { edgeStores } from "./support/edge-stores.js";

describe.each(edgeStores)("on %s", (_name, openStore) => {
  let store: Awaited<ReturnType<typeof openStore>>;
  let edge: EdgeFixture;
  let victim: FixtureTenant;
  let attacker: FixtureTenant;

  beforeAll(async () => {
    store = await openStore();
    edge = await startEdge({ store });
    victim = await edge.tenant("victim");
    attacker = await edge.tenant("attacker");
    await fetch(`${edge.url}/v1/tenants/victim/intents`, call(victim.key, { body: note() }));
  });
  afterAll(async () => {
    await edge.close();
    await store.close();
  });

  const note = (more: object = {}): object => ({ type: "note.create", spec: { canary: 1 }, ...more });
  const post = (tenant: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${edge.url}/v1/tenants/${tenant}/intents`, call(attacker.key, { body, headers }));
  const headOf = async (tenant: FixtureTenant): Promise<number> => (await edge.reader.head(tenant.id)).position;
  /** Intents and facts of a tenant that are no refusals. */
  const stored = async (tenant: FixtureTenant): Promise<number> =>
    (await edge.reader.read(tenant.id, { limit: 1_000 })).filter(({ type }) => type !== "refusal.recorded").length;
  const refusalOf = (code: string): Promise<unknown> =>
    eventually(
      async () => (await refusalsIn(edge.reader, attacker.id)).find((each) => each.code === code),
      `a refusal ${code}`,
    );

  describe("attack 1, publishing into another tenant", () => {
    test("is refused by path, the same for a tenant that does not exist, and recorded with the attacker", async () => {
      const before = await headOf(victim);
      const answers: Answer[] = [];
      for (const target of [victim.slug, victim.id, "nobody", v7(), "platform", "..%2fvictim", "victim%00", "VICTIM"]) {
        const response = await post(target, note());
        expect([target, response.status]).toEqual([target, 403]);
        answers.push(await answerOf(response));
      }
      const bodies = new Set(answers.map(({ requestId: _, ...rest }) => JSON.stringify(rest)));
      expect(bodies.size).toBe(1);
      expect(await headOf(victim)).toBe(before);
      expect(await refusalOf("forbidden")).toMatchObject({ code: "forbidden", count: 1 });
    });

    test("is refused by a tenant in the body, alone and with the path", async () => {
      const before = [await headOf(victim), await stored(attacker)];
      for (const member of ["tenantId", "tenant", "tenant_id"]) {
        for (const body of [note({ [member]: victim.id }), { intents: [note()], [member]: victim.id }]) {
          const own = await post("attacker", body);
          expect([own.status, (await answerOf(own)).code]).toEqual([422, "forbidden_field"]);
          expect((await post("victim", body)).status).toBe(403);
        }
      }
      expect([await headOf(victim), await stored(attacker)]).toEqual(before);
      expect(await refusalOf("forbidden_field")).toMatchObject({ count: 1 });
    });

    test("by headers reaches the attacker's own tenant only", async () => {
      const before = await headOf(victim);
      const headers = {
        "x-tenant-id": victim.id,
        "x-eventplane-tenant": "victim",
        "x-forwarded-host": "victim",
        host: "victim",
      };
      const response = await post("attacker", note(), headers);
      expect((await answerOf(response)).tenantId).toBe(attacker.id);
      expect(await headOf(victim)).toBe(before);
    });

    test("and reading or following it show nothing, not even that an id exists", async () => {
      const [row] = await edge.reader.read(victim.id, { limit: 1 });
      for (const path of [
        "events",
        `events/${row?.id}`,
        `events/${row?.id}/proof`,
        `traces/${row?.correlationId}`,
        "subscribe",
        "resources/note",
        `streams/note/${row?.aggregateId}`,
        "schemas",
      ]) {
        const response = await fetch(`${edge.url}/v1/tenants/victim/${path}`, call(attacker.key));
        const text = await response.text();
        expect([path, response.status]).toEqual([path, 403]);
        expect(text).not.toContain(victim.id);
      }
      const own = await fetch(`${edge.url}/v1/tenants/attacker/events/${row?.id}`, call(attacker.key));
      expect(own.status).toBe(404);
      for (const path of ["tenants", "tenants/victim/keys", "dead-letters?tenant=victim"]) {
        expect((await fetch(`${edge.url}/v1/admin/${path}`, call(attacker.key))).status).toBe(403);
      }
    });

    test("is refused to the platform's administrator too, who may not read it either", async () => {
      const before = await headOf(victim);
      const published = await fetch(`${edge.url}/v1/tenants/victim/intents`, call(edge.adminKey, { body: note() }));
      const read = await fetch(`${edge.url}/v1/tenants/victim/events`, call(edge.adminKey));
      expect([published.status, read.status]).toEqual([403, 403]);
      expect(await headOf(victim)).toBe(before);
    });

    test("the same event id in two tenants is two events", async () => {
      const id = v7();
      expect((await post("attacker", note({ id }))).status).toBe(201);
      const own = await fetch(`${edge.url}/v1/tenants/victim/intents`, call(victim.key, { body: note({ id }) }));
      expect(own.status).toBe(201);
    });
  });

  describe("attack 4, forged envelope fields", () => {
    const forged: readonly (readonly [string, unknown])[] = [
      ["causedBy", { principal: { type: "service", id: "root" } }],
      ["tenantId", "x"],
      ["position", 1],
      ["version", 1],
      ["kind", "fact"],
      ["hash", "00"],
      ["previousHash", "00"],
      ["recordedAt", "2020-01-01T00:00:00Z"],
      ["proof", "AAAA"],
      ["status", { billing: { paid: true } }],
      ["finalizers", { billing: { completed: true, observedGeneration: 1 } }],
      ["decision", { component: "billing" }],
      ["generation", 7],
      ["lifecycle", "live"],
      ["source", "stripe"],
      ["keyRefs", {}],
      ["logEpoch", 2],
      ["statusText", "{}"],
      ["specText", '{"canary":2}'],
      ["idFromOutsideKey", true],
      ["traceparent", "00-1-1-01"],
    ];

    test.each(forged)(
      "%s is refused with its place, alone and in a list, and nothing is stored",
      async (member, value) => {
        const before = await stored(attacker);
        const single = await post("attacker", note({ [member]: value }));
        const atomic = await post("attacker", { atomic: true, intents: [note(), note({ [member]: value })] });
        expect([single.status, atomic.status]).toEqual([422, 422]);
        expect(await answerOf(single)).toMatchObject({ code: "forbidden_field", pointers: [`/${member}`] });
        expect(await answerOf(atomic)).toMatchObject({ code: "forbidden_field", pointers: [`/intents/1/${member}`] });
        expect(await stored(attacker)).toBe(before);
      },
    );

    test("are recorded, and ids that only the system may make are refused", async () => {
      expect(await refusalOf("forbidden_field")).toBeDefined();
      for (const id of [
        "a6edc906-2f9f-5fb2-a373-efac406f0ef2",
        "a6edc906-2f9f-8fb2-a373-efac406f0ef2",
        v7().toUpperCase(),
        "x",
      ]) {
        const response = await post("attacker", note({ id }));
        expect([id, response.status]).toEqual([id, 400]);
      }
    });
  });

  describe("attack 9, the same request 100 times", () => {
    test("is one event, and another body under its id is refused and recorded", async () => {
      const body = note({ id: v7(), aggregateId: `repeated-${v7()}` });
      const answers = await Promise.all(Array.from({ length: 100 }, () => post("attacker", body)));
      const statuses = answers.map(({ status }) => status).sort((a, b) => a - b);
      expect(statuses).toEqual([...Array.from({ length: 99 }, () => 200), 201]);
      const other = await post("attacker", { ...body, spec: { canary: 2 } });
      expect([other.status, (await answerOf(other)).code]).toEqual([422, "content_mismatch"]);
      const { aggregateId } = body as { aggregateId: string }; // given above
      expect(await edge.reader.readStream(attacker.id, { aggregateType: "note", aggregateId })).toHaveLength(1);
      expect(await refusalOf("content_mismatch")).toMatchObject({ count: 1 });
    });
  });
});

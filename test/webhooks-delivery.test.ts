/** Webhooks on a whole plane: what is sent, to whom, how often, in which order, and when nothing is. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createClient, type EventplaneClient } from "../src/client/index.js";
import { PLATFORM_TENANT_ID } from "../src/kernel/index.js";
import { testDone } from "../src/testing/index.js";
import { type HookTenant, Receivers, tenantWith, verified } from "./support/hooks-fixture.js";
import { create, inPhase, PlaneFixture, until } from "./support/plane-fixture.js";

let plane: PlaneFixture;
let admin: EventplaneClient["admin"];
const receivers = new Receivers();

beforeAll(async () => {
  plane = await PlaneFixture.open({ quota: () => testDone({ members: 1 }) }, { allowedNetworks: ["127.0.0.1/32"] });
  admin = createClient({ baseUrl: plane.url, apiKey: plane.adminKey }).admin;
});
afterEach(() => receivers.close());
afterAll(() => plane.close());

/** Makes what waits for another attempt due now. */
const hasten = (id: string, more = ""): Promise<unknown> =>
  plane.installation.asSuperuser(
    `update eventplane.work set due_at = clock_timestamp() ${more} where component = $1 and state = 'ready' and lease_token is null`,
    [`webhook:${id}`],
  );
const waiting = (id: string): Promise<readonly { readonly attempts: number; readonly seconds: number }[]> =>
  plane.installation.asSuperuser(
    `select attempts, extract(epoch from due_at - clock_timestamp())::double precision as seconds from eventplane.work
     where component = $1 and state = 'ready' and lease_token is null and attempts > 0`,
    [`webhook:${id}`],
  );
/** Waits until the controllers have nothing to do; what webhooks wait for stays. */
const settled = (tenant: HookTenant): Promise<unknown> =>
  until("the controllers to be idle", async () => {
    const sql = `select 1 from eventplane.heads h join eventplane.cursors c using (tenant_id, position)
      where h.tenant_id = $1 and c.consumer = 'work'
        and not exists (select from eventplane.work w where w.tenant_id = $1 and w.state = 'ready' and w.queue = '')`;
    return (await plane.installation.asSuperuser(sql, [tenant.id]))[0];
  });
const idsOf = async ({ id }: HookTenant, meant: (type: string) => boolean = () => true): Promise<readonly string[]> =>
  (await plane.log(id)).filter(({ type }) => meant(type)).map((row) => row.id);

describe("what is sent", () => {
  it("is every event after the place that was named, in order, signed, once where every attempt succeeds", async () => {
    const acme = await tenantWith(plane, "sent");
    await create(acme, "before");
    await inPhase(acme, "before", "Ready");
    const [all, later] = [await receivers.open(), await receivers.open()];
    const { id, secret } = await acme.hooks.create({ url: all.url, after: 0 });
    await acme.hooks.create({ url: later.url });
    for (let n = 0; n < 20; n++) await create(acme, `org-${n}`);
    for (let n = 0; n < 20; n++) await inPhase(acme, `org-${n}`, "Ready");
    await settled(acme);
    const ids = await idsOf(acme);
    await until("all of it to come", async () => (all.received.length >= ids.length ? true : undefined));
    expect(all.ids()).toEqual(ids);
    const told = all.received.map((one) => verified(secret, one));
    expect(told.map(({ id: event, tenantid }) => [event, tenantid])).toEqual(ids.map((event) => [event, acme.id]));
    expect(told.map(({ sequence }) => Number(sequence))).toEqual(ids.map((_, index) => index + 1));
    for (const { authid } of told) expect(authid).toMatch(/^psn_/);
    await until("the later ones to come", async () => (later.ids().at(-1) === ids.at(-1) ? true : undefined));
    expect(later.ids()).toEqual(ids.slice(ids.length - later.received.length));
    expect(later.ids()).not.toContain(ids[0]);
    const { position, failingSince } = await acme.hooks.get(id);
    expect([position, failingSince]).toEqual([ids.length, null]);
    expect(await acme.hooks.deliveries(id)).toHaveLength(Math.min(100, ids.length));
    expect((await acme.hooks.deliveries(id))[0]).toMatchObject({
      result: "delivered",
      status: 204,
      attempt: 1,
      eventId: ids.at(-1),
    });
  });

  it("is what the filter means, of this tenant alone", async () => {
    const [acme, other] = [await tenantWith(plane, "filtered"), await tenantWith(plane, "unfiltered")];
    const [facts, creates] = [await receivers.open(), await receivers.open()];
    await acme.hooks.create({ url: facts.url, filter: { kinds: ["fact"], aggregateTypes: ["organization"] } });
    await acme.hooks.create({ url: creates.url, filter: { types: ["organization.create"] } });
    for (const tenant of [acme, other]) for (const name of ["a", "b"]) await create(tenant, name);
    for (const name of ["a", "b"]) await inPhase(acme, name, "Ready");
    await settled(acme);
    const made = await idsOf(acme, (type) => type === "organization.create");
    await until("the creates", async () => (creates.received.length === 2 ? true : undefined));
    expect(creates.ids()).toEqual(made);
    const ready = (await plane.log(acme.id)).filter(({ kind }) => kind === "fact").map((row) => row.id);
    await until("the facts", async () => (facts.received.length === ready.length ? true : undefined));
    expect(facts.ids()).toEqual(ready);
  });

  it("waits in the log while the webhook is paused, and ends with its deletion", async () => {
    const acme = await tenantWith(plane, "paused");
    const receiver = await receivers.open();
    const { id } = await acme.hooks.create({ url: receiver.url, filter: { types: ["organization.create"] } });
    await acme.hooks.pause(id);
    for (const name of ["a", "b", "c"]) await create(acme, name);
    await settled(acme);
    expect(receiver.received).toEqual([]);
    await acme.hooks.resume(id);
    await until("what waited", async () => (receiver.received.length === 3 ? true : undefined));
    expect(receiver.ids()).toEqual(await idsOf(acme, (type) => type === "organization.create"));
    await acme.hooks.delete(id);
    await create(acme, "d");
    const gone = "select 1 from eventplane.webhooks where webhook_id = $1";
    await until("its bookkeeping to go", async () =>
      (await plane.installation.asSuperuser(gone, [id])).length === 0 ? true : undefined,
    );
    expect(receiver.received).toHaveLength(3);
  });
});

describe("an attempt that fails", () => {
  it("is made again under the same id, later ones pass it, and the receiver's wish to wait is heard", async () => {
    const acme = await tenantWith(plane, "again");
    const answers = [500, { status: 429, headers: { "retry-after": "7200" } }];
    const receiver = await receivers.open(() => answers.shift() ?? 204);
    const { id, secret } = await acme.hooks.create({ url: receiver.url, filter: { types: ["organization.create"] } });
    const first = await create(acme, "a");
    await until("the first failure", async () => ((await waiting(id)).length === 1 ? true : undefined));
    const [retry] = await waiting(id);
    expect(retry?.seconds).toBeGreaterThan(1);
    expect(retry?.seconds).toBeLessThan(7);
    await hasten(id);
    await until("the second failure", async () => (((await waiting(id))[0]?.attempts ?? 0) === 2 ? true : undefined));
    expect((await waiting(id))[0]?.seconds).toBeGreaterThan(7_000);
    expect((await acme.hooks.get(id)).failingSince).not.toBeNull();
    expect(receiver.ids()).toEqual([first.id, first.id]);
    for (const one of receiver.received) expect(verified(secret, one)["id"]).toBe(first.id);
    expect(await acme.hooks.deliveries(id)).toMatchObject([
      { attempt: 2, result: "retried", status: 429 },
      { attempt: 1, result: "retried", status: 500 },
    ]);
  });

  it("eight times is a dead letter, which can be redriven", async () => {
    const acme = await tenantWith(plane, "dead");
    let status = 500;
    const receiver = await receivers.open(() => status);
    const { id } = await acme.hooks.create({ url: receiver.url, filter: { types: ["organization.create"] } });
    const made = await create(acme, "a");
    await until("a failure", async () => ((await waiting(id)).length === 1 ? true : undefined));
    await hasten(id, ", attempts = 7");
    const letter = await until("the dead letter", async () => (await admin.deadLetters({ tenant: "dead" }))[0]);
    expect(letter).toMatchObject({
      component: `webhook:${id}`,
      resource: { aggregateType: "organization", aggregateId: "a" },
      attempts: 8,
      failure: { code: "webhook_undelivered", message: "The receiver answered with status 500. It was tried 8 times." },
    });
    status = 204;
    await admin.redrive(letter.id, { tenant: "dead" });
    await until("the redriven one", async () =>
      (await acme.hooks.deliveries(id))[0]?.result === "delivered" ? true : undefined,
    );
    expect(receiver.ids()).toEqual([made.id, made.id, made.id]);
    expect(await admin.deadLetters({ tenant: "dead" })).toEqual([]);
  });

  it("with 410 gives the receiver up, as an event of the platform, until somebody resumes it", async () => {
    const acme = await tenantWith(plane, "gone");
    let status = 410;
    const receiver = await receivers.open(() => status);
    const { id } = await acme.hooks.create({ url: receiver.url, filter: { types: ["organization.create"] } });
    const made = await create(acme, "a");
    await until("it to be given up", async () => ((await acme.hooks.get(id)).state === "gone" ? true : undefined));
    await create(acme, "b");
    await settled(acme);
    expect(receiver.ids()).toEqual([made.id]);
    const events = (await plane.log(PLATFORM_TENANT_ID)).filter(
      (row) => row.aggregateId === id && row.type === "webhook.disable",
    );
    expect(events.map((row) => [row.specText, row.causedByText.includes('"type":"system"')])).toEqual([
      ['{"state":"gone"}', true],
    ]);
    status = 204;
    await acme.hooks.resume(id);
    await hasten(id);
    await until("both to come", async () => (receiver.received.length === 3 ? true : undefined));
    expect(await (await fetch(`${plane.url}/metrics`)).text()).toMatch(
      /eventplane_webhooks_disabled_total\{reason="gone"\} 1/,
    );
  });

  it("for five days gives the receiver up", async () => {
    const acme = await tenantWith(plane, "failing");
    const receiver = await receivers.open(() => 500);
    const { id } = await acme.hooks.create({ url: receiver.url, filter: { types: ["organization.create"] } });
    await create(acme, "a");
    await until("a failure", async () => ((await waiting(id)).length === 1 ? true : undefined));
    const since = "update eventplane.webhooks set failing_since = failing_since - $2::interval where webhook_id = $1";
    await plane.installation.asSuperuser(since, [id, "4 days"]);
    await hasten(id);
    await until("another", async () => ((await waiting(id))[0]?.attempts === 2 ? true : undefined));
    expect((await acme.hooks.get(id)).state).toBe("active");
    await plane.installation.asSuperuser(since, [id, "1 day"]);
    await hasten(id);
    await until("it to be given up", async () => ((await acme.hooks.get(id)).state === "failing" ? true : undefined));
    await acme.hooks.resume(id);
    await hasten(id);
    await until("the next failure", async () => ((await waiting(id))[0]?.attempts === 4 ? true : undefined));
    await settled(acme);
    expect((await acme.hooks.get(id)).state).toBe("active");
  });

  it("opens the breaker after five of them: the receiver is left alone, and sent everything when it answers again", async () => {
    const acme = await tenantWith(plane, "breaker");
    let status = 503;
    const receiver = await receivers.open(() => status);
    const { id } = await acme.hooks.create({ url: receiver.url, filter: { types: ["organization.create"] } });
    for (let n = 0; n < 12; n++) await create(acme, `org-${n}`);
    await until("five failures", async () => ((await waiting(id)).length === 5 ? true : undefined));
    await settled(acme);
    expect(receiver.received.length).toBe(5);
    // Their own next attempts are far away: it is the receiver's recovery that brings them.
    await hasten(id, "+ interval '1 hour' * sign(attempts)");
    status = 204;
    const made = await idsOf(acme, (type) => type === "organization.create");
    await until("all of them, when the breaker has let one try", async () =>
      receiver.received.length === 17 ? true : undefined,
    );
    expect(receiver.ids().slice(5).sort()).toEqual([...made].sort());
  }, 40_000);
});

describe("who may see it", () => {
  it("is its owner at the moment of sending: with the key revoked nothing is sent, with another one of that name it goes on", async () => {
    const acme = await tenantWith(plane, "revoked");
    const receiver = await receivers.open();
    const { id } = await acme.hooks.create({ url: receiver.url, filter: { types: ["organization.create"] } });
    const first = await create(acme, "a");
    await until("the first", async () => (receiver.received.length === 1 ? true : undefined));
    await admin.revokeKey("revoked", acme.hooksKeyId);
    const second = await create(acme, "b");
    await settled(acme);
    const { webhooks } = admin;
    expect(await webhooks.get(id, { tenant: "revoked" })).toMatchObject({ state: "active", maySend: false });
    expect(receiver.ids()).toEqual([first.id]);
    await admin.createKey("revoked", { name: "hooks", grants: ["subscriber"] });
    await until("the second", async () => (receiver.received.length === 2 ? true : undefined));
    expect(receiver.ids()).toEqual([first.id, second.id]);
  });

  it("is ruled by the policies of that moment: what was offered before is withheld", async () => {
    const acme = await tenantWith(plane, "forbidden");
    let status = 500;
    const receiver = await receivers.open(() => status);
    const filter = { types: ["organization.create", "note.create"] };
    const { id } = await acme.hooks.create({ url: receiver.url, filter });
    await create(acme, "a");
    await until("a failure", async () => ((await waiting(id)).length > 0 ? true : undefined));
    const sent = receiver.received.length;
    const text = `@id("no-organizations")
forbid (principal, action == Eventplane::Action::"Subscribe", resource)
when { resource has aggregateType && resource.aggregateType == "organization" };`;
    await admin.policies.apply({ text }, { tenant: "forbidden", follows: 0 });
    status = 204;
    await until("it to be withheld", async () => {
      await hasten(id);
      return (await acme.hooks.deliveries(id))[0]?.result === "withheld" ? true : undefined;
    });
    expect(receiver.received.length).toBe(sent);
    expect((await acme.hooks.get(id)).maySend).toBe(true);
  });
});

describe("P13: an event that cannot be told", () => {
  it("is a dead letter, and those behind it are sent", async () => {
    const acme = await tenantWith(plane, "untold");
    const [broken, whole] = [await create(acme, "a"), await create(acme, "b")];
    await settled(acme);
    for (const sql of [
      "alter table eventplane.events disable trigger all",
      `update eventplane.events set caused_by = '{}' where event_id = '${broken.id}'`,
      "alter table eventplane.events enable trigger all",
    ])
      await plane.installation.asSuperuser(sql);
    const receiver = await receivers.open();
    const { id } = await acme.hooks.create({ url: receiver.url, after: 0, filter: { types: ["organization.create"] } });
    await until("the other one", async () => (receiver.received.length === 1 ? true : undefined));
    expect(receiver.ids()).toEqual([whole.id]);
    const letters = await admin.deadLetters({ tenant: "untold", component: `webhook:${id}` });
    expect(
      letters.map(({ resource, failure }) => [resource.aggregateId, failure.message.includes("evtctl verify")]),
    ).toEqual([["a", true]]);
  });
});

describe("P13: a receiver that hangs", () => {
  it("keeps no other tenant waiting, whatever its own tenant asks for", async () => {
    const [bad, good] = [await tenantWith(plane, "hanging"), await tenantWith(plane, "prompt")];
    const [silent, prompt] = [await receivers.open(() => "silence"), await receivers.open()];
    for (let n = 0; n < 12; n++) await bad.hooks.create({ url: silent.url, parallel: 8 });
    await good.hooks.create({ url: prompt.url, filter: { types: ["organization.create"] } });
    for (let n = 0; n < 10; n++) await create(bad, `org-${n}`);
    await until("its attempts to hang", async () => (silent.received.length >= 8 ? true : undefined));
    expect(silent.received.length).toBe(8);
    const startMs = performance.now();
    for (let n = 0; n < 5; n++) await create(good, `org-${n}`);
    await until("the others' events", async () => (prompt.received.length === 5 ? true : undefined));
    expect(performance.now() - startMs).toBeLessThan(5_000);
    expect(silent.received.length).toBe(8);
    for (const { id } of await bad.hooks.list()) await bad.hooks.delete(id);
  });
});

describe("at least once", () => {
  it("sends what a process had in hand when it was killed again, under the same id", async () => {
    const acme = await tenantWith(plane, "killed");
    const receiver = await receivers.open();
    const { id } = await acme.hooks.create({ url: receiver.url, filter: { types: ["organization.create"] } });
    await acme.hooks.pause(id);
    const made = await create(acme, "a");
    const [row] = (await plane.log(acme.id)).filter((each) => each.id === made.id);
    // What another process does: it makes the row, takes it, and is never heard of again.
    await plane.installation.asSuperuser("select eventplane.webhook_offer($1, $2, 0, $3, $4, $5, $6, $7)", [
      acme.id,
      id,
      row?.position,
      [made.id],
      [row?.position],
      ["organization"],
      ["a"],
    ]);
    const claim = "select event_id from eventplane.webhook_claim($1, $2, $3, $3, 500)";
    // A round of the plane that began before the pause may have been first, and hands it back.
    await until("it to be taken", async () => {
      const [taken] = await plane.installation.asSuperuser<{ event_id: string }>(claim, [[acme.id], [id], [5]]);
      return taken?.event_id === made.id ? true : undefined;
    });
    await acme.hooks.resume(id);
    await until("it to be sent", async () => (receiver.received.length === 1 ? true : undefined));
    expect(receiver.ids()).toEqual([made.id]);
    await until("it to be noted", async () => ((await acme.hooks.deliveries(id))[0]?.attempt === 2 ? true : undefined));
  });

  it("is sent once by two processes that both live, one at a time and in order", async () => {
    const acme = await tenantWith(plane, "two");
    const receiver = await receivers.open(() => 204, { answersAfterMs: 10 });
    await acme.hooks.create({ url: receiver.url, filter: { types: ["organization.create"] } });
    const second = await plane.start();
    for (let n = 0; n < 30; n++) await create(acme, `org-${n}`);
    const made = await idsOf(acme, (type) => type === "organization.create");
    await until("all", async () => (receiver.received.length >= 30 ? true : undefined));
    expect(receiver.ids()).toEqual(made);
    expect(receiver.atOnceMax()).toBe(1);
    await second.close();
  });
});

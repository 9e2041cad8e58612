/** The typed client has a method for every route that is described, and repeats only what may be repeated. */
import { expect, test } from "vitest";
import { createClient, type EventplaneClient } from "../src/client/index.js";
import { type Operation, operations } from "../src/edge/index.js";
import { systemClock } from "../src/kernel/index.js";

const id = "0190a6f2-7c1e-7b3a-9d52-3f8e1a2b4c5d";
const all = async (items: AsyncIterable<unknown>): Promise<void> => {
  for await (const item of items) void item;
};
type Call = (client: EventplaneClient) => Promise<unknown>;

/** The method of each route, by the id of its operation. */
const calls: Readonly<Record<string, Call>> = {
  publish: (client) => client.publish({ type: "organization.create", spec: {} }),
  readEvents: (client) => client.readPage(),
  readEvent: (client) => client.event(id),
  readProof: (client) => client.proof(id),
  readStream: (client) => all(client.stream("organization", "acme")),
  readTrace: (client) => client.trace(id),
  listResources: (client) => all(client.resources("organization")),
  readResource: (client) => client.resource("organization", "acme"),
  queryProjection: (client) => client.query("byPlan", { table: "plans" }),
  listSchemas: (client) => client.schemas(),
  readSchema: (client) => client.schema("organization.create", 1),
  subscribe: (client) => client.subscribe({ after: 0 }).next(),
  mintStreamToken: (client) => client.mintStreamToken(),
  createTenant: ({ admin }) => admin.createTenant({ slug: "acme" }),
  listTenants: ({ admin }) => admin.tenants(),
  createKey: ({ admin }) => admin.createKey("acme", { name: "billing", grants: ["reader"] }),
  listKeys: ({ admin }) => admin.keys("acme"),
  readKey: ({ admin }) => admin.key("acme", id),
  rotateKey: ({ admin }) => admin.rotateKey("acme", id),
  revokeKey: ({ admin }) => admin.revokeKey("acme", id),
  readQuota: ({ admin }) => admin.quotas.get("acme"),
  setQuota: ({ admin }) => admin.quotas.set("acme", {}, { follows: 0 }),
  readPolicies: ({ admin }) => admin.policies.get(),
  applyPolicies: ({ admin }) => admin.policies.apply({ text: "" }, { follows: 0 }),
  testPolicies: ({ admin }) => admin.policies.test(""),
  explainRuling: ({ admin }) => admin.policies.explain(id),
  listPolicyVersions: ({ admin }) => admin.policies.versions(),
  readPolicyVersion: ({ admin }) => admin.policies.version(1),
  listDeadLetters: ({ admin }) => admin.deadLetters(),
  groupDeadLetters: ({ admin }) => admin.deadLetterGroups(),
  readDeadLetter: ({ admin }) => admin.deadLetter(id),
  redriveDeadLetter: ({ admin }) => admin.redrive(id),
  discardDeadLetter: ({ admin }) => admin.discard(id),
  redriveDeadLetters: ({ admin }) => admin.redriveAll({ all: true }),
  discardDeadLetters: ({ admin }) => admin.discardAll({ all: true }),
  getStatus: ({ admin }) => admin.status(),
  listEffects: ({ admin }) => admin.effects(),
  readEffect: ({ admin }) => admin.effect(id),
  retryEffect: ({ admin }) => admin.retryEffect(id),
  resolveEffect: ({ admin }) => admin.resolveEffect(id, { ok: {} }),
  listProjections: ({ admin }) => admin.projections.list(),
  readProjection: ({ admin }) => admin.projections.get("byPlan"),
  queryAcrossTenants: ({ admin }) => admin.projections.acrossTenants("byPlan", { table: "plans" }),
  pauseProjection: ({ admin }) => admin.projections.ask("pause", "byPlan"),
  resumeProjection: ({ admin }) => admin.projections.ask("resume", "byPlan"),
  resetProjection: ({ admin }) => admin.projections.ask("reset", "byPlan"),
  rebuildProjection: ({ admin }) => admin.projections.ask("rebuild", "byPlan"),
  verifyProjection: ({ admin }) => admin.projections.ask("verify", "byPlan"),
  createReplay: ({ admin }) => admin.replays.create({ target: { controller: "quota" } }),
  listReplays: ({ admin }) => admin.replays.list(),
  readReplay: ({ admin }) => admin.replays.get(id),
  pauseReplay: ({ admin }) => admin.replays.pause(id),
  resumeReplay: ({ admin }) => admin.replays.resume(id),
  cancelReplay: ({ admin }) => admin.replays.cancel(id),
  listControllers: ({ admin }) => admin.controllers.list(),
  backfillController: ({ admin }) => admin.controllers.backfill("quota"),
  retireController: ({ admin }) => admin.controllers.retire("quota"),
  registerSchema: (client) => client.registerSchema("organization.create", 2, { schema: {} }),
  checkSchema: (client) => client.checkSchema("organization.create", { schema: {} }),
  createWebhook: ({ admin }) => admin.webhooks.create({ url: "https://example.com/hook" }),
  listWebhooks: ({ admin }) => admin.webhooks.list(),
  readWebhook: ({ admin }) => admin.webhooks.get(id),
  listDeliveries: ({ admin }) => admin.webhooks.deliveries(id),
  pauseWebhook: ({ admin }) => admin.webhooks.pause(id),
  resumeWebhook: ({ admin }) => admin.webhooks.resume(id),
  rotateWebhook: ({ admin }) => admin.webhooks.rotate(id),
  testWebhook: ({ admin }) => admin.webhooks.test(id),
  deleteWebhook: ({ admin }) => admin.webhooks.delete(id),
  listSubjects: ({ admin }) => all(admin.subjects.kept()),
  listErasedSubjects: ({ admin }) => all(admin.subjects.erased()),
  showSubject: ({ admin }) => admin.subjects.get("person-1"),
  eraseSubject: ({ admin }) => admin.subjects.erase("person-1"),
  signingKeys: (client) => client.keysDocument(),
};
/** What is not for applications: probes, the reference itself, and deliveries, which others sign. */
const withoutMethod = ["live", "ready", "metrics", "openApi", "asyncApi", "referencePage", "referenceFile", "deliver"];
/** Sent again it would do something a second time, so it is sent once: their answers say what to do after a lost one. */
const sentOnce =
  /^(createKey|rotateKey|createReplay|(pause|resume|cancel)Replay|(redrive|discard)DeadLetters?|(retry|resolve)Effect|(pause|resume|reset|rebuild|verify)Projection|(create|pause|resume|rotate|test)Webhook)$/;

const described = Object.entries(operations)
  .filter(([, operation]) => !withoutMethod.includes(operation.id))
  .map(([route, operation]) => [operation.id, route, operation] as const);

test("every route that an application calls has a method; a new one needs a line in this file's table", () => {
  expect(described.map(([name]) => name).filter((name) => calls[name] === undefined)).toEqual([]);
  const known = Object.values(operations).map(({ id: name }) => name);
  expect(Object.keys(calls).filter((name) => !known.includes(name))).toEqual([]);
});

test.each(described.map(([name, route, operation]) => ({ name, route, operation })))(
  "$name asks $route, and again after a passing failure where that does no harm",
  async ({ name, route, operation }) => {
    const asked: string[] = [];
    const client = createClient({
      baseUrl: "http://edge",
      apiKey: "epk_x",
      tenant: "acme",
      clock: { ...systemClock, sleep: async () => undefined },
      fetch: async (url, { method = "GET", body } = {}) => {
        asked.push(`${method} ${new URL(String(url)).pathname} ${typeof body === "string" ? body : ""}`);
        return asked.length === 1 ? busy() : answered(operation);
      },
    });
    const call = calls[name];
    const failure: unknown = await call?.(client).then(
      () => undefined,
      (error: unknown) => error,
    );
    const form = new RegExp(`^${route.replaceAll(".", "\\.").replaceAll(/:\w+/g, "[^/]+")} `);
    for (const each of asked) expect([each, form.test(each)]).toEqual([each, true]);
    if (sentOnce.test(name)) {
      expect([asked.length, failure]).toEqual([1, expect.objectContaining({ code: "busy" })]);
      return;
    }
    expect(asked.length).toBeGreaterThan(1);
    // What is repeated is the same to the last byte: a publication has its id from the client.
    expect(new Set(asked).size).toBe(1);
    if (name === "publish") expect(asked[0]).toMatch(/"id":"[0-9a-f-]{36}"/);
  },
);

function busy(): Response {
  const problem = { code: "busy", status: 503, detail: "Busy.", retryable: true };
  return new Response(JSON.stringify(problem), {
    status: 503,
    headers: { "content-type": "application/problem+json" },
  });
}

/** What the document shows as the answer. */
function answered({ answers }: Operation): Response {
  const [[status, { content = {} }] = ["204", {}]] = Object.entries(answers);
  const [[mediaType, media] = ["", undefined]] = Object.entries(content);
  if (media === undefined) return new Response(null, { status: Number(status) });
  const [example] = Object.values(media.examples);
  const text = typeof example === "string" ? example : JSON.stringify(example);
  return new Response(text, { status: Number(status), headers: { "content-type": mediaType } });
}

/** Run it with `npm test`: no database and no server is started. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { done, pending } from "eventplane";
import { given, testPlane } from "eventplane/testing";
import app, { mailer, organization, quota, welcome } from "./eventplane.config.js";

test("the quota follows the plan", () => {
  given(organization, { plan: "free" })
    .when(quota)
    .then(done({ members: 3 }));
  given(organization, { plan: "team" })
    .when(quota)
    .then(done({ members: 25 }));
});

test("a new organization is welcomed once", () => {
  const input = { organization: "acme" };
  const acme = given(organization, {}, { aggregateId: "acme" });
  acme.when(welcome).asks(mailer, input).then(pending());
  acme
    .withEffect(mailer, input, { ok: { messageId: "m-1" } })
    .when(welcome)
    .then(done({ messageId: "m-1" }));
});

test("an organization becomes Ready, though the first mail's answer is lost", async () => {
  const p = await testPlane(app, { workers: { mailer: () => ({ messageId: "m-1" }) } });
  p.plant({ worker: "mailer", fault: "unknown" });
  const { aggregateId } = await p.publish(organization.create({ name: "Acme", plan: "team" }));
  await p.settle();
  assert.equal((await p.resource(organization, aggregateId)).phase, "Progressing");
  await p.advance(60_000);
  const acme = await p.resource(organization, aggregateId);
  assert.equal(acme.phase, "Ready");
  assert.deepEqual(acme.status, { quota: { members: 25 }, welcome: { messageId: "m-1" } });
  const keys = p.calls("mailer").map(({ idempotencyKey }) => idempotencyKey);
  assert.deepEqual(keys, [keys[0], keys[0]]);
});

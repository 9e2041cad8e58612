import type { JsonObject } from "eventplane";
import { checkProjection, testPlane } from "eventplane/testing";
import { expect, it } from "vitest";
import { githubDeliveries } from "./deliveries.js";
import app, { repositoryActivity } from "./eventplane.config.js";

/** JSON as it came. */
const deliveries = githubDeliveries().map(({ spec, ...rest }) => ({
  ...rest,
  spec: { ...spec, payload: spec.payload as JsonObject },
}));

it("counts the 329 real deliveries by event, and keeps the latest one of each subject", async () => {
  const plane = await testPlane(app);
  for (const delivery of deliveries) await plane.publish(delivery);
  await plane.settle();
  const me = plane.as({ tenant: "acme", principal: { id: "user-7" } });
  const { rows: events } = await me.query(repositoryActivity, { table: "events", limit: 1_000 });
  const { rows: subjects } = await me.query(repositoryActivity, { table: "subjects" });
  const { rows: last } = await me.query(repositoryActivity, { table: "last", limit: 1_000 });
  expect(events.reduce((sum, { value }) => sum + value, 0)).toBe(329);
  expect(events.find(({ key }) => key === "push")?.value).toBe(
    deliveries.filter(({ spec }) => spec.event === "push").length,
  );
  expect(subjects.reduce((sum, { count }) => sum + count, 0)).toBe(last.length);
  expect(last.length).toBe(new Set(deliveries.map(({ aggregateId }) => aggregateId)).size);
});

it("is pure over all of them", async () => {
  await expect(checkProjection(repositoryActivity, deliveries)).resolves.toMatch(/^[0-9a-f]{64}$/);
});

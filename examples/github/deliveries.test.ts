import { expect, it } from "vitest";
import { githubDeliveries } from "./deliveries.js";

const deliveries = githubDeliveries();

it("329 real deliveries become intents, 277 of them with a payload that fits GitHub's schemas", () => {
  expect(deliveries).toHaveLength(329);
  expect(deliveries.filter(({ spec }) => spec.conforms)).toHaveLength(277);
});

it("each has an id of its own that follows from its content, so publishing again repeats", () => {
  const ids = deliveries.map(({ id }) => id);
  expect(new Set(ids).size).toBe(329);
  expect(githubDeliveries().map(({ id }) => id)).toEqual(ids);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
});

it("each belongs to the repository, organization or installation that it is about", () => {
  for (const { aggregateId } of deliveries)
    expect(aggregateId).toMatch(/^(repository|organization|installation)-\d+$|^github$/);
});

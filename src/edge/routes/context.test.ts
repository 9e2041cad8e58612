import Fastify, { type FastifyInstance } from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tenantIdOf } from "../platform/definitions.js";
import type { Principal } from "../principal.js";
import { Scopes } from "../scope.js";
import { type EdgeParts, Routes } from "./context.js";

const acme = tenantIdOf("acme");
let principal: Principal;
let server: FastifyInstance;

beforeEach(() => {
  server = Fastify();
  const parts = {
    authentication: { identify: () => principal },
    authorizer: { assertAllowed: () => undefined },
    limits: { admit: () => undefined, fields: () => ({}) },
    platform: { state: { tenant: () => ({ id: acme }) } },
  } as unknown as EdgeParts; // all that a route without a body asks
  const routes = new Routes(server, parts);
  const route = { method: "GET", action: "Read", handle: async () => ({ all: "of it" }) } as const;
  routes.tenant({ ...route, url: "/v1/tenants/:t/schemas" });
  routes.tenant({ ...route, url: "/v1/tenants/:t/events", withinScope: true });
});
afterEach(() => server.close());

const readBy = async (scopes: readonly string[] | undefined, path: string): Promise<number> => {
  const scoped = scopes === undefined ? {} : { scopes: new Scopes(scopes) };
  principal = { type: "service", id: "p", tenantId: acme, grants: new Set(["reader"]), ...scoped };
  return (await server.inject(`/v1/tenants/acme/${path}`)).statusCode;
};

test("a route that does not say that it keeps to scopes lets nobody in who has some", async () => {
  expect(await readBy(undefined, "schemas")).toBe(200);
  // Without the edge's error handler a refusal has no status of its own.
  expect(await readBy(["note.*"], "schemas")).toBe(500);
  expect(await readBy(["publisher:note.*"], "schemas")).toBe(500);
  expect(await readBy(["note.*"], "events")).toBe(200);
});

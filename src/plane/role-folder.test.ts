/** What a process with some of the roles may be told by its settings. */
import { describe, expect, it } from "vitest";
import { resolveConfig } from "./config.js";
import { parseProcessRoles } from "./process-roles.js";
import { assertNoPassword, assertRoleSettings } from "./role-folder.js";

const secrets = {
  EVENTPLANE_PERSONAL__KEYS: "a",
  EVENTPLANE_NATS__CREDENTIAL: "b",
  EVENTPLANE_INTAKE__OWNER_URL: "postgresql://owner:c@db/shop",
};

describe("a setting with a secret", () => {
  it.each([
    ["edge", "EVENTPLANE_PERSONAL__KEYS"],
    ["workers", "EVENTPLANE_PERSONAL__KEYS"],
    ["relay", "EVENTPLANE_NATS__CREDENTIAL"],
  ])("is taken by %s alone, which needs it: %s", (role, needed) => {
    for (const [name, value] of Object.entries(secrets)) {
      const config = resolveConfig({ environment: { [name]: value } });
      const told = (): void => assertRoleSettings(config, parseProcessRoles([role]));
      if (name === needed) expect(told).not.toThrow();
      else expect(told).toThrow(expect.objectContaining({ code: "rights_excessive" }));
    }
  });

  it("is no password of the database, wherever it stands in its address", () => {
    for (const url of ["postgresql://db/plane", "postgresql://db/plane?sslmode=require"])
      expect(() => assertNoPassword(url)).not.toThrow();
    for (const url of ["postgresql://u:p@db/plane", "postgresql://db/plane?user=u&password=p"])
      expect(() => assertNoPassword(url)).toThrow(expect.objectContaining({ code: "rights_excessive" }));
  });
});

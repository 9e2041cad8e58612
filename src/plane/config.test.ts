import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { resolveConfig } from "./config.js";

const folder = mkdtempSync(join(tmpdir(), "eventplane-config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

describe("resolveConfig", () => {
  it("lets the environment win over the file, and a flag over both", () => {
    const file = { "edge.port": "1" };
    const environment = { EVENTPLANE_EDGE__PORT: "2" };
    expect(resolveConfig({ environment: {} }).integer("edge.port")).toBe(8787);
    expect(resolveConfig({ file, environment: {} }).integer("edge.port")).toBe(1);
    expect(resolveConfig({ file, environment }).integer("edge.port")).toBe(2);
    const all = resolveConfig({ file, environment, flags: { "edge.port": "3" } });
    expect(all.list().find(({ name }) => name === "edge.port")).toMatchObject({ value: "3", origin: "flag" });
  });

  it("knows the names that everybody has, below our own", () => {
    expect(resolveConfig({ environment: { PORT: "9" } }).integer("edge.port")).toBe(9);
    expect(resolveConfig({ environment: { PORT: "9", EVENTPLANE_EDGE__PORT: "10" } }).integer("edge.port")).toBe(10);
  });

  it("refuses a misspelt name of ours and a value out of range", () => {
    const misspelt = thrownBy(() => resolveConfig({ environment: { EVENTPLANE_EDGE__PROT: "1" } }));
    expect(misspelt).toMatchObject({ code: "config_invalid", details: { name: "EVENTPLANE_EDGE__PROT" } });
    for (const port of ["65536", "-1", "1.5", "x"]) {
      expect(thrownBy(() => resolveConfig({ environment: { PORT: port } }))).toMatchObject({ code: "config_invalid" });
    }
  });

  it("takes a secret from a file that only its owner can read, and masks it", () => {
    const path = join(folder, "url");
    writeFileSync(path, "postgresql://me:hunter2@db/eventplane\n", { mode: 0o600 });
    const config = resolveConfig({ environment: { DATABASE_URL_FILE: path } });
    expect(config.text("database.url")).toBe("postgresql://me:hunter2@db/eventplane");
    expect(JSON.stringify(config.list().map(({ shown }) => shown))).not.toContain("hunter2");
    chmodSync(path, 0o640);
    expect(thrownBy(() => resolveConfig({ environment: { DATABASE_URL_FILE: path } }))).toMatchObject({
      code: "key_file_insecure",
    });
  });

  it.each([
    ["DATABASE_URL", "hunter2", "****"],
    ["DATABASE_URL", "postgresql://db/plane?user=me&password=hunter2", "postgresql://db/plane?user=me&password=****"],
    ["EVENTPLANE_NATS__CREDENTIAL", "a-token:hunter2", "****"],
  ])("shows nothing of a secret that %s holds: %s", (name, value, shown) => {
    const listed = resolveConfig({ environment: { [name]: value } }).list();
    expect(listed.map((each) => each.shown)).toContain(shown);
    expect(JSON.stringify(listed.map((each) => each.shown))).not.toContain("hunter2");
  });
});

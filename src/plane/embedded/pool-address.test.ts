import { describe, expect, test } from "vitest";
import { urlOfPool } from "./pool-address.js";

describe("urlOfPool", () => {
  test("is the pool's own URL, or made of its host, port, database and login", () => {
    const connectionString = "postgresql://app:secret@db.internal:6432/shop?sslmode=verify-full";
    expect(urlOfPool({ options: { connectionString } })).toBe(connectionString);
    expect(urlOfPool({ options: { host: "127.0.0.1", database: "shop" } })).toBe("postgresql://127.0.0.1:5432/shop");
    const login = { user: "a@b", password: "p/%:?" };
    const url = new URL(urlOfPool({ options: { host: "db", port: 6432, database: "shop", ssl: true, ...login } }));
    expect([url.host, url.pathname, url.search]).toEqual(["db:6432", "/shop", "?sslmode=require"]);
    expect([decodeURIComponent(url.username), decodeURIComponent(url.password)]).toEqual(["a@b", "p/%:?"]);
    const socket = urlOfPool({ options: { host: "/run/postgresql", database: "shop", ssl: false } });
    expect(new URL(socket).searchParams.get("host")).toBe("/run/postgresql");
  });

  test.each([
    {},
    { host: "db" },
    { host: "db", database: "shop", ssl: { ca: "pem" } },
    { host: "db", database: "shop", password: () => "secret", ssl: {} },
  ])("refuses what a URL cannot say: %j", (options) => {
    expect(() => urlOfPool({ options })).toThrow(expect.objectContaining({ code: "config_invalid" }));
  });
});

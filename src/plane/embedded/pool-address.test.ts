import pg from "pg";
import { describe, expect, test } from "vitest";
import { urlOfPool } from "./pool-address.js";

describe("urlOfPool", () => {
  test("is the pool's own URL, or made of its host, port, database and login", () => {
    const connectionString = "postgresql://app:secret@db.internal:6432/shop?sslmode=verify-full";
    expect(urlOfPool({ options: { connectionString } })).toBe(connectionString);
    expect(urlOfPool({ options: { host: "127.0.0.1", database: "shop" } })).toBe("postgresql://127.0.0.1:5432/shop");
    const login = { user: "a@b", password: "p/%:?" };
    const url = new URL(urlOfPool({ options: { host: "db", port: 6432, database: "shop", ssl: true, ...login } }));
    expect([url.host, url.pathname, url.search]).toEqual(["db:6432", "/shop", "?sslmode=verify-full"]);
    expect([decodeURIComponent(url.username), decodeURIComponent(url.password)]).toEqual(["a@b", "p/%:?"]);
    const socket = urlOfPool({ options: { host: "/run/postgresql", database: "shop", ssl: false } });
    expect(new URL(socket).searchParams.get("host")).toBe("/run/postgresql");
  });

  test("encrypts as the pool does, whose own URL has the first word", () => {
    const search = (options: object): string => new URL(urlOfPool({ options })).search;
    const connectionString = "postgresql://db/shop";
    expect(search({ connectionString, ssl: true })).toBe("?sslmode=verify-full");
    expect(search({ connectionString, ssl: { rejectUnauthorized: true } })).toBe("?sslmode=verify-full");
    expect(search({ connectionString, ssl: { rejectUnauthorized: false } })).toBe("?sslmode=no-verify");
    expect(search({ host: "db", database: "shop", ssl: { rejectUnauthorized: false } })).toBe("?sslmode=no-verify");
    expect(search({ connectionString, ssl: false })).toBe("");
    expect(search({ connectionString: `${connectionString}?sslmode=disable`, ssl: { ca: "pem" } })).toBe(
      "?sslmode=disable",
    );
  });

  test("what it says is read by the driver as the pool's own options are", () => {
    const options = { host: "2001:db8::1", port: 6432, database: "a%20b é", ssl: { rejectUnauthorized: false } };
    const { host, port, database, ssl } = new pg.Client({ connectionString: urlOfPool({ options }) });
    expect({ host, port, database, ssl }).toEqual(options);
  });

  test.each([
    {},
    { connectionString: "shop" },
    { connectionString: "postgresql://db/shop", ssl: { ca: "pem" } },
    { host: "db" },
    { host: "db", database: "shop", ssl: { ca: "pem" } },
  ])("refuses what a URL cannot say: %j", (options) => {
    expect(() => urlOfPool({ options })).toThrow(expect.objectContaining({ code: "config_invalid" }));
  });
});

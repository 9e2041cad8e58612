import { describe, expect, test } from "vitest";
import { AddressGuard, readTarget } from "./index.js";
import { retryAfterMsOf } from "./retry-after.js";

const guard = new AddressGuard();

describe("an address", () => {
  const refused: Readonly<Record<string, readonly string[]>> = {
    loopback: ["127.0.0.1", "127.255.255.254", "::1"],
    private: ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fdff::1", "fec0::1"],
    "link-local and metadata": ["169.254.0.1", "169.254.169.254", "fe80::1", "fd00:ec2::254", "168.63.129.16"],
    "carrier-grade NAT": ["100.64.0.1", "100.100.100.200", "100.127.255.255"],
    multicast: ["224.0.0.1", "239.255.255.255", "ff02::1"],
    unspecified: ["0.0.0.0", "0.1.2.3", "::"],
    "broadcast and reserved": [
      "255.255.255.255",
      "240.0.0.1",
      "192.0.0.192",
      "198.18.0.1",
      "203.0.113.1",
      "2001:db8::1",
    ],
    "IPv4 inside of IPv6": [
      "::ffff:127.0.0.1",
      "::ffff:93.184.215.14",
      "::ffff:0:127.0.0.1",
      "::127.0.0.1",
      "64:ff9b::7f00:1",
      "64:ff9b:1::7f00:1",
      "2002:7f00:1::1",
      "2001:0:7f00:1::1",
    ],
    "not one address": [
      "",
      "localhost",
      "127.1",
      "0x7f.0.0.1",
      "0177.0.0.1",
      "2130706433",
      "fe80::1%eth0",
      "1.2.3.4/8",
    ],
  };
  for (const [name, addresses] of Object.entries(refused))
    test(`is refused when it is ${name}`, () => {
      expect(addresses.map((address) => guard.judge(address))).toEqual(addresses.map(() => "refused"));
    });

  test("of the internet is public", () => {
    expect(
      ["93.184.215.14", "172.32.0.1", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"].map((one) => guard.judge(one)),
    ).toEqual(["public", "public", "public"]);
  });

  test("in an allowed network is allowed, and no other is", () => {
    const some = new AddressGuard(["127.0.0.0/8", "10.1.2.3", "fd00:1::/32"]);
    expect(["127.0.0.1", "10.1.2.3", "fd00:1::7"].map((one) => some.judge(one))).toEqual([
      "allowed",
      "allowed",
      "allowed",
    ]);
    expect(["10.1.2.4", "::1", "fd00:2::7", "::ffff:127.0.0.1"].map((one) => some.judge(one))).toEqual(
      Array(4).fill("refused"),
    );
  });

  test("range that cannot be read is config_invalid", () => {
    for (const text of [
      "",
      "10.0.0.0/33",
      "10.0.0.0/",
      "10.0.0.0/8/8",
      "::/129",
      "localhost",
      "127.1/8",
      "fe80::1%lo/64",
    ])
      expect(() => new AddressGuard([text]), text).toThrow(expect.objectContaining({ code: "config_invalid" }));
    expect(() => new AddressGuard(Array(65).fill("10.0.0.1"))).toThrow(
      expect.objectContaining({ code: "config_invalid" }),
    );
  });
});

describe("a target", () => {
  const refusals: Readonly<Record<string, string>> = {
    "": "url_invalid",
    "/hook": "url_invalid",
    [`https://example.com/${"a".repeat(2_048)}`]: "url_invalid",
    "ftp://example.com/": "scheme_refused",
    "file:///etc/passwd": "scheme_refused",
    "http://93.184.215.14/": "scheme_refused",
    "https://me@example.com/": "credentials_in_url",
    "https://me:secret@example.com/": "credentials_in_url",
    "https://93.184.215.14:22/": "port_refused",
    "https://127.0.0.1/": "address_refused",
    "https://127.1/": "address_refused",
    "https://0177.0.0.1/": "address_refused",
    "https://0x7f000001/": "address_refused",
    "https://2130706433/": "address_refused",
    "https://127.0.0.1./": "address_refused",
    "https://①②⑦.0.0.1/": "address_refused",
    "https://[::1]/": "address_refused",
    "https://[::ffff:127.0.0.1]/": "address_refused",
    "https://169.254.169.254/latest/meta-data/": "address_refused",
  };
  for (const [url, refusal] of Object.entries(refusals))
    test(`${url.slice(0, 60) || "of nothing"} is refused: ${refusal}`, () => {
      expect(readTarget(url, guard)).toBe(refusal);
    });

  test("by name is judged when it is called; without https or on another port it needs an allowed network", () => {
    expect(readTarget("https://hooks.example.com/a?b=c", guard)).toMatchObject({ needsAllowed: false });
    expect(readTarget("http://hooks.example.com/", guard)).toMatchObject({ needsAllowed: true });
    expect(readTarget("https://hooks.example.com:9000/", guard)).toMatchObject({ needsAllowed: true });
    expect(readTarget("http://127.0.0.1:9000/", new AddressGuard(["127.0.0.1"]))).toMatchObject({ needsAllowed: true });
  });
});

describe("Retry-After", () => {
  const now = Date.parse("2026-01-31T09:30:00Z") * 1_000;
  test("is seconds or a date, and at most a day", () => {
    expect(retryAfterMsOf("120", now)).toBe(120_000);
    expect(retryAfterMsOf("Sat, 31 Jan 2026 09:31:00 GMT", now)).toBe(60_000);
    expect(retryAfterMsOf("Sat, 31 Jan 2026 09:00:00 GMT", now)).toBe(0);
    expect(retryAfterMsOf("999999999", now)).toBe(86_400_000);
    expect(retryAfterMsOf("Sat, 31 Jan 2032 09:31:00 GMT", now)).toBe(86_400_000);
  });

  test("that says nothing is passed over", () => {
    for (const text of [undefined, "", "soon", "-1", "1.5", "2026-01-31T09:31:00Z", "1e9", "9".repeat(20)])
      expect(retryAfterMsOf(text, now)).toBeUndefined();
  });
});

/** The networks that a key may be used from: addresses and CIDR ranges, IPv4 and IPv6. */
import { BlockList, isIP } from "node:net";

/** At most so many networks has a key. */
export const networksMax = 32;

/** Of an IPv4 address that came over IPv6. */
const mappedPrefix = "::ffff:";

interface Range {
  readonly address: string;
  readonly bits: number;
  readonly family: "ipv4" | "ipv6";
}

/** Whether the text is an address or a range such as `192.0.2.0/24` and `2001:db8::/32`. */
export function isNetwork(text: string): boolean {
  return readRange(text) !== undefined;
}

/** A list of networks. What it cannot read lets nobody in. */
export class Networks {
  /** As they were given. */
  readonly texts: readonly string[];
  readonly #list = new BlockList();

  constructor(texts: readonly string[]) {
    this.texts = texts;
    for (const text of texts) {
      const range = readRange(text);
      if (range !== undefined) this.#list.addSubnet(range.address, range.bits, range.family);
    }
  }

  /** Whether the address is in one of them; an IPv4 address that came over IPv6 counts as what it is. */
  has(address: string): boolean {
    const text = plainAddress(address);
    const version = isIP(text);
    return version !== 0 && this.#list.check(text, version === 4 ? "ipv4" : "ipv6");
  }
}

/** The address as what it is: IPv4 also when it came over IPv6. */
export function plainAddress(address: string): string {
  const bare = address.slice(mappedPrefix.length);
  return address.toLowerCase().startsWith(mappedPrefix) && isIP(bare) === 4 ? bare : address;
}

function readRange(text: string): Range | undefined {
  const [address = "", bits, ...more] = text.split("/");
  const version = isIP(address);
  if (version === 0 || more.length > 0 || address.includes("%")) return undefined;
  const widest = version === 4 ? 32 : 128;
  if (bits !== undefined && !/^(0|[1-9]\d{0,2})$/.test(bits)) return undefined;
  const width = bits === undefined ? widest : Number(bits);
  if (width > widest) return undefined;
  return { address, bits: width, family: version === 4 ? "ipv4" : "ipv6" };
}

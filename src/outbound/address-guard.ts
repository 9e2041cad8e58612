/**
 * Which addresses may be called on somebody else's behalf: those of the public internet, and networks that the operator allows.
 *
 * What is public is a short list, not what is private a long one: an address is public when its registry entry says nothing
 * special of it (IANA special-purpose registries, RFC 6890 and its successors), and in IPv6 only in 2000::/3.
 */
import ipaddr from "ipaddr.js";
import { EventplaneError } from "../kernel/index.js";

/** `public`: of the internet. `allowed`: in a network that the operator allows. */
export type AddressVerdict = "public" | "allowed" | "refused";

/** Networks that the configuration may allow. */
const allowedNetworksMax = 64;

type Range = ReturnType<typeof ipaddr.parseCIDR>;

const globalUnicast = ipaddr.IPv6.parseCIDR("2000::/3");
/** Public by its number, and answers every machine of one cloud with its own secrets: the wire server of Azure. */
const metadataAddresses: ReadonlySet<string> = new Set(["168.63.129.16"]);

/** Judges addresses. */
export class AddressGuard {
  readonly #allowed: readonly Range[];

  /**
   * @param allowedNetworks addresses and ranges such as `127.0.0.0/8` and `fd00:1::/32`
   * @throws EventplaneError `config_invalid` for a text that is neither, or more than 64 of them
   */
  constructor(allowedNetworks: readonly string[] = []) {
    if (allowedNetworks.length > allowedNetworksMax)
      throw new EventplaneError("config_invalid", `At most ${allowedNetworksMax} networks may be allowed.`);
    this.#allowed = allowedNetworks.map(rangeOf);
  }

  /** What is to be thought of an address; of what is no address too: it is refused. */
  judge(text: string): AddressVerdict {
    if (!isPlain(text)) return "refused";
    const address = ipaddr.parse(text);
    const isAllowed = this.#allowed.some(
      ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
    );
    if (isAllowed) return "allowed";
    if (address.range() !== "unicast" || metadataAddresses.has(address.toString())) return "refused";
    return address.kind() === "ipv4" || address.match(globalUnicast) ? "public" : "refused";
  }
}

/** One spelling of IPv4, and IPv6 without a zone. */
function isPlain(text: string): boolean {
  if (text.includes("%")) return false;
  return ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text);
}

function rangeOf(text: string): Range {
  const [address = "", bits, ...more] = text.split("/");
  const widest = address.includes(":") ? 128 : 32;
  const isRange = bits === undefined || (/^(0|[1-9]\d{0,2})$/.test(bits) && Number(bits) <= widest);
  if (isPlain(address) && isRange && more.length === 0) return [ipaddr.parse(address), Number(bits ?? widest)] as Range;
  throw new EventplaneError("config_invalid", "An allowed network is an address or a range such as 10.1.0.0/16.", {
    details: { network: text.slice(0, 64) },
  });
}

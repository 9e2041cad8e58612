/**
 * Takes secrets out of text and out of members by their names, before anything is written (P14, ATTACKS 14).
 *
 * It rather takes too much than too little: what looks like a secret is one.
 */

const redacted = "[redacted]";

/** Words that make a member's name secret, wherever they stand in it: `clientSecret`, `x-api-key`, `PGPASSWORD`. */
const secretWords: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "cookies",
  "credential",
  "credentials",
  "passphrase",
  "passwd",
  "password",
  "passwords",
  "pwd",
  "secret",
  "secrets",
  "token",
  "tokens",
]);
/** The same for names written in one word or in several: `apikey`, `api_key`, `apiKey`, `accesstoken`. */
const secretEnding = /(?:authorization|cookies?|credentials?|passphrase|passw(?:or)?d|secret|token)$/;
const secretPart = /apikey|privatekey|accesskey|secretkey|connectionstring|databaseurl/;

/** Every rule for names needs one of these: one look at harmless names, which nearly all are. */
const suspiciousName = /authorization|cookie|credential|pass|pwd|secret|token|api|private|access|connection|database/i;

/** True when a member of this name may hold a secret. `author` may not, and neither may the id of a key or token. */
export function isSecretName(name: string): boolean {
  if (!suspiciousName.test(name)) return false;
  const words = nameWords(name).filter((word) => asciiWord.test(word));
  if (words.at(-1) === "id") return false;
  const joined = words.join("");
  return words.some((word) => secretWords.has(word)) || secretEnding.test(joined) || secretPart.test(joined);
}

const nameCharactersMax = 200;
const asciiWord = /^[a-z0-9]+$/;

/** The words of a name in any style, in lower case: `customerIBANCode` and `customer_iban-code` are `customer`, `iban`, `code`. */
function nameWords(name: string): readonly string[] {
  const apart = name
    .slice(0, nameCharactersMax)
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1 $2");
  return apart.toLowerCase().match(/[a-z0-9]+|[^\u0000-\u007f]+/g) ?? [];
}

/**
 * A test for names that hold one of `keys` as whole words, in any style: the key `card-number` means `cardNumber`, `CARD_NUMBER`,
 * `cardnumber` and `customerCardNumber`; the key `auth` means `auth` and `authHeader`, never `author`.
 */
export function namesHolding(keys: readonly string[]): (name: string) => boolean {
  const wanted = keys.map((key) => nameWords(key)).filter(({ length }) => length > 0);
  if (wanted.length === 0) return () => false;
  const joined = new Set(wanted.map((words) => words.join("")));
  return (name) => {
    const words = nameWords(name);
    return joined.has(words.join("")) || wanted.some((part) => holdsInOrder(words, part));
  };
}

function holdsInOrder(words: readonly string[], part: readonly string[]): boolean {
  return words.some((_, at) => part.every((word, offset) => words[at + offset] === word));
}

const patterns: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[^]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|$)/g, redacted],
  // API keys and stream tokens of Eventplane.
  [/epk_[\w-]+/g, `epk_${redacted}`],
  [/eps_[\w.-]+/g, `eps_${redacted}`],
  // JSON Web Tokens.
  [/(?<![\w-])eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?/g, redacted],
  [/\b(bearer|basic)(\s{1,8})[\w.~+/=-]{8,}/gi, `$1$2${redacted}`],
  // Credentials in a URL; up to the last @, because a password may hold one.
  [/(:\/\/)[^\s"'<>@]{0,1000}@(?:[^\s"'<>]{0,1000}@)?/g, `$1${redacted}@`],
  // Assignments: connection strings, queries, headers and JSON inside of text.
  [
    /(pass(?:word|wd|phrase)|\bpwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|authorization|cookie)(\\?["']?\s{0,8}[=:]\s{0,8})(?:\\?"[^"]*(?:"|$)|'[^']*(?:'|$)|(?:(?:bearer|basic)\s{1,8})?[^\s&,;"']+)/gi,
    `$1$2${redacted}`,
  ],
];

/** Every pattern above needs one of these: one look at harmless text, which nearly all of it is. */
const suspicious = /[=:]|ep[ks]_|eyJ|bearer|basic|PRIVATE KEY/i;

/** The text without what looks like a secret. Callers bound its length. */
export function redactText(text: string): string {
  if (!suspicious.test(text)) return text;
  let result = text;
  for (const [pattern, replacement] of patterns) result = result.replace(pattern, replacement);
  return result;
}

/** What stands in the place of a secret member. */
export const redactedValue: string = redacted;

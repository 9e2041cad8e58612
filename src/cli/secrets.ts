/** Keeps secrets out of argv: every process of the machine can read it, and shells write it down. */
import { EventplaneError } from "../kernel/errors.js";

const secretFlag = /^--?(?:api-?key|token|secret|password|passwd)(?:=.*)?$/is;
const apiKey = /epk_[0-9a-f]{8}-[0-9a-f-]{27}_[A-Za-z0-9_-]{20,}/;
const passwordInUrl = /^[^\s]*[a-z][a-z0-9+.-]*:\/\/(?:[^\s/@:]*:[^\s/@]+@|[^\s]*[?&]password=)/i;

/**
 * Looks at every argument, wherever it stands. The message never repeats it.
 *
 * @throws EventplaneError `secret_in_arguments`
 */
export function assertNoSecrets(args: readonly string[]): void {
  const at = args.findIndex((arg) => secretFlag.test(arg) || apiKey.test(arg) || passwordInUrl.test(arg));
  if (at === -1) return;
  const message = `Argument ${at + 1} gives a secret on the command line, where every process of this machine can read it.`;
  throw new EventplaneError("secret_in_arguments", message, { details: { argument: at + 1 } });
}

/** `evtctl explain`: a ruling made again from the log, and which policies decided; with an admin key, or from files without a plane. */
import type { Command } from "commander";
import type { RulingExplanation } from "../../client/index.js";
import { EventplaneError } from "../../kernel/errors.js";
import { explainFromFiles } from "../../plane/index.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  program
    .command("explain")
    .description("make a ruling again from the log, and show which policies decided")
    .argument("<id>", "id of an event, a refusal's too, or of a ruling")
    .option("--log <file>", "the tenant's log, with its proofs; then no plane is asked")
    .option("--platform-log <file>", "the platform's log, with its proofs")
    .option("--root-key <key>", "for files: the root's public key, base64url (default: the context file's)")
    .addHelpText(
      "after",
      `
Files are lines as the edge streams them from the beginning: GET …/events?include=proof with Accept: application/x-ndjson.
Every hash and every proof in them is checked with the root's public key before anything is explained.

  evtctl explain 0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11 --tenant acme
  evtctl explain 0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11 --log acme.ndjson --platform-log platform.ndjson --root-key 0Q6m…`,
    )
    .action(async (id: string, flags: ExplainFlags, command: Command) => {
      const explanation = await (flags.log === undefined && flags.platformLog === undefined ? ask : explainFiles)(id, {
        flags,
        shell,
        command,
      });
      if (explanation.unexplained !== undefined) shell.exitStatus = 1;
      const printer = shell.printer(command);
      if (printer.format !== "table") return printer.value(explanation);
      for (const line of linesOf(explanation)) await shell.terminal.line(line);
    });
}

interface ExplainFlags {
  readonly log?: string;
  readonly platformLog?: string;
  readonly rootKey?: string;
}

interface Call {
  readonly flags: ExplainFlags;
  readonly shell: Shell;
  readonly command: Command;
}

async function ask(id: string, { shell, command }: Call): Promise<RulingExplanation> {
  const credentials = shell.credentials(command);
  const { admin } = await credentials.admin();
  const tenant = credentials.tenant().value;
  return admin.policies.explain(id, tenant === undefined ? {} : { tenant });
}

async function explainFiles(id: string, { flags, shell, command }: Call): Promise<RulingExplanation> {
  const rootPublicKey = flags.rootKey ?? shell.credentials(command).context?.rootPublicKey;
  const { platformLog, log = platformLog } = flags;
  if (platformLog === undefined || log === undefined)
    throw new EventplaneError(
      "usage",
      "Give the platform's log too, with --platform-log: the keys and the policies are in it.",
    );
  if (rootPublicKey === undefined)
    throw new EventplaneError("usage", "The root's public key is missing: give it with --root-key, from its owner.");
  const explanation = await explainFromFiles(id, { log, platformLog, rootPublicKey });
  return explanation as unknown as RulingExplanation; // what an edge answers
}

function* linesOf(explanation: RulingExplanation): Generator<string> {
  const { eventId, type, at, recorded, question, unexplained, decision, decidedBy = [], note } = explanation;
  yield `${safe(type)} ${safe(eventId)} at ${safe(at)}`;
  yield `  ruling    ${safe(recorded.rulingId)} of policy set ${safe(recorded.policySetHash)}`;
  if (question !== undefined) {
    const { principal, action, tenantId, resource } = question;
    const grants = principal.grants.join(", ") || "no grants";
    yield `  asked     ${safe(principal.type)} ${safe(principal.id)} (${safe(grants)}) of tenant ${safe(principal.tenantId)}`;
    yield `  for       ${safe(action)} on ${safe(resource)} of tenant ${safe(tenantId)}`;
  }
  if (unexplained !== undefined) return yield `  cannot be made again: ${safe(unexplained)}`;
  yield `  policies  the base, version ${explanation.platformVersion ?? 0} of the platform, version ${explanation.tenantVersion ?? 0} of the tenant`;
  yield `  decision  ${safe(decision)}${decidedBy.length === 0 ? "" : ` by ${safe(decidedBy.map(({ id }) => id).join(", "))}`}`;
  if (note !== null && note !== undefined) yield `  note      ${safe(note)}`;
  for (const { id, text } of decidedBy) {
    yield `\n${safe(id)}`;
    for (const line of text.split("\n")) yield `  ${safe(line)}`;
  }
}

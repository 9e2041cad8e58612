/** `evtctl explain`: a ruling made again from the log, and which policies decided; needs an admin key. */
import type { Command } from "commander";
import type { RulingExplanation } from "../../client/index.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  program
    .command("explain")
    .description("make a ruling again from the log, and show which policies decided")
    .argument("<id>", "id of an event, a refusal's too, or of a ruling")
    .addHelpText("after", "\n  evtctl explain 0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11 --tenant acme")
    .action(async (id: string, _options: unknown, command: Command) => {
      const credentials = shell.credentials(command);
      const { admin } = await credentials.admin();
      const tenant = credentials.tenant().value;
      const explanation = await admin.policies.explain(id, tenant === undefined ? {} : { tenant });
      if (explanation.unexplained !== undefined) shell.exitStatus = 1;
      const printer = shell.printer(command);
      if (printer.format !== "table") return printer.value(explanation);
      for (const line of linesOf(explanation)) await shell.terminal.line(line);
    });
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

/** `evtctl status`: every process, consumer, queue and leader of the plane; needs an admin key of the platform. */
import type { Command } from "commander";
import type { PlaneStatus, ProcessInfo } from "../../client/index.js";
import type { Column } from "../output.js";
import type { Shell } from "../shell.js";

type Of<Name extends keyof PlaneStatus> = readonly Column<PlaneStatus[Name][number]>[];

/** A process that has not said for so long that it runs was killed, or cannot reach the database. */
const lateSeconds = 15;

const processes: readonly Column<ProcessInfo>[] = [
  { title: "PROCESS", value: ({ processId }) => processId.slice(0, 8) },
  { title: "NAME", value: ({ name }) => name },
  { title: "ROLES", value: ({ roles }) => roles.join(",") },
  { title: "VERSION", value: ({ version, codeVersion }) => [version, codeVersion].filter(Boolean).join(" ") },
  { title: "STARTED", value: ({ startedAt }) => startedAt.slice(0, 19) },
  { title: "SEEN", value: ({ seenSeconds }) => `${seenSeconds.toFixed(0)} s ago` },
  { title: "STATE", value: stateOf },
];
const consumers: Of<"consumers"> = [
  { title: "CONSUMER", value: ({ consumer }) => consumer },
  { title: "TENANTS", value: ({ tenants }) => tenants },
  { title: "BEHIND", value: ({ tenantsBehind }) => tenantsBehind },
  { title: "EVENTS BEHIND", value: ({ eventsBehind }) => eventsBehind },
  { title: "AT MOST", value: ({ eventsBehindMax }) => eventsBehindMax },
];
const work: Of<"work"> = [
  { title: "CONTROLLER OR WORKER", value: ({ component }) => component },
  { title: "DUE", value: ({ due }) => due },
  { title: "OLDEST", value: ({ oldestSeconds }) => `${oldestSeconds.toFixed(1)} s` },
  { title: "LEASED", value: ({ leased }) => leased },
  { title: "LATER", value: ({ later }) => later },
  { title: "DEAD", value: ({ dead }) => dead },
];
const leaders: Of<"leaders"> = [
  { title: "PROJECTION", value: ({ projection }) => projection },
  { title: "LED BY", value: ({ processId }) => processId.slice(0, 8) },
  { title: "EPOCH", value: ({ epoch }) => epoch },
  { title: "LEASE", value: ({ leaseSeconds }) => (leaseSeconds < 0 ? "ended" : `${leaseSeconds.toFixed(1)} s`) },
];

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  program
    .command("status")
    .description("show every process, consumer, queue of work and leader of the plane")
    .addHelpText(
      "after",
      "\nIt needs an admin key of the platform. A process says every 5 s that it runs; one that was killed stays listed\nas late for an hour.\n\n  evtctl status\n  evtctl status -o json",
    )
    .action(async (_options: unknown, command: Command) => {
      const { admin } = await shell.credentials(command).admin();
      const status = await admin.status();
      const printer = shell.printer(command);
      if (printer.format !== "table") return printer.value(status);
      await printer.list(status.processes, processes);
      for (const print of [
        () => printer.list(status.consumers, consumers),
        () => printer.list(status.work, work),
        () => printer.list(status.leaders, leaders),
      ]) {
        await shell.terminal.line("");
        await print();
      }
    });
}

function stateOf({ reasons, degraded, seenSeconds }: ProcessInfo): string {
  if (seenSeconds > lateSeconds) return "late";
  if (reasons.length > 0) return reasons.join(", ");
  return degraded.length > 0 ? `ready; ${degraded.join(", ")}` : "ready";
}

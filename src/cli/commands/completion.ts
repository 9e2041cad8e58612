/** `evtctl completion`: scripts for shells, made from the commands themselves. */
import { Argument, type Command } from "commander";
import { type CommandTree, completionScript, completionShells } from "../completion/scripts.js";
import type { Shell } from "../shell.js";

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  program
    .command("completion")
    .description("print a completion script")
    .addArgument(new Argument("<shell>", "for which shell").choices(completionShells))
    .addHelpText(
      "after",
      `
  source <(evtctl completion bash)
  evtctl completion zsh > "\${fpath[1]}/_evtctl"
  evtctl completion fish > ~/.config/fish/completions/evtctl.fish`,
    )
    .action(async (name: (typeof completionShells)[number]) => {
      await shell.terminal.line(completionScript(name, treeOf(program)));
    });
}

function treeOf(command: Command): CommandTree {
  const options = command.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [{ name: long }]));
  return {
    name: command.name(),
    description: command.description(),
    options: options.map(({ name }) => name),
    commands: command.commands.map(treeOf),
  };
}

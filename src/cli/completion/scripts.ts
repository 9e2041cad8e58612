/** Completion scripts for bash, zsh and fish. Names of ours only go in: nothing of it comes from outside. */

/** A command with what may follow it. */
export interface CommandTree {
  readonly name: string;
  readonly description: string;
  readonly options: readonly string[];
  readonly commands: readonly CommandTree[];
}

/** Shells that a script can be made for. */
export const completionShells = ["bash", "zsh", "fish"] as const;

const binaries = ["evtctl", "eventplane"] as const;

/** The script for one shell. */
export function completionScript(shell: (typeof completionShells)[number], tree: CommandTree): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](tree);
}

function bashScript(tree: CommandTree): string {
  return [
    "_evtctl() {",
    '  local current="${COMP_WORDS[COMP_CWORD]}" words="" path=""',
    '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do [[ $word == -* ]] || path="$path $word"; done',
    ...caseLines(tree),
    '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
    "}",
    ...binaries.map((name) => `complete -F _evtctl ${name}`),
  ].join("\n");
}

function zshScript(tree: CommandTree): string {
  return [
    `#compdef ${binaries.join(" ")}`,
    "_evtctl() {",
    '  local words_="" path_="" word',
    '  for word in ${words[2,CURRENT-1]}; do [[ $word == -* ]] || path_="$path_ $word"; done',
    '  local path="$path_" words=""',
    ...caseLines(tree),
    "  compadd -- ${=words}",
    "}",
    'if [ "$funcstack[1]" = "_evtctl" ]; then _evtctl "$@"; else compdef _evtctl evtctl eventplane; fi',
  ].join("\n");
}

/** `path` is what stands before the cursor without options; the longest command that begins it decides. */
function caseLines(tree: CommandTree): string[] {
  const groups = tree.commands.flatMap((command) =>
    command.commands.map((sub) => [`${command.name} ${sub.name}`, sub] as const),
  );
  const singles = tree.commands.map((command) => [command.name, command] as const);
  const wordsOf = ({ commands, options }: CommandTree): string =>
    [...commands.map(({ name }) => name), ...options, ...tree.options, "--help"].join(" ");
  return [
    '  case "$path " in',
    ...[...groups, ...singles].map(([path, command]) => `    " ${path} "*) words="${wordsOf(command)}" ;;`),
    `    *) words="${wordsOf({ ...tree, options: [] })}" ;;`,
    "  esac",
  ];
}

function fishScript(tree: CommandTree): string {
  const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  return binaries
    .flatMap((binary) => {
      const none = `complete -c ${binary} -f -n __fish_use_subcommand`;
      const lines = tree.commands.map(({ name, description }) => `${none} -a ${name} -d ${quoted(description)}`);
      for (const command of tree.commands) {
        const inside = `complete -c ${binary} -n ${quoted(`__fish_seen_subcommand_from ${command.name}`)}`;
        lines.push(
          ...command.commands.map(({ name, description }) => `${inside} -f -a ${name} -d ${quoted(description)}`),
        );
        lines.push(...command.options.map((option) => `${inside} -l ${option.slice(2)}`));
      }
      return [...lines, ...tree.options.map((option) => `complete -c ${binary} -l ${option.slice(2)}`)];
    })
    .join("\n");
}

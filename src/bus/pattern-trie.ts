/** Which entries match a topic, at a cost that depends on the topic and its matches, not on the number of entries. */

/** Its parts are made when they are needed: most nodes have one of them, and three empty ones take 600 bytes. */
interface Node<Entry> {
  children: Map<string, Node<Entry>> | undefined;
  /** Entries of patterns that end here, and of those that end here with `**`. */
  exact: Set<Entry> | undefined;
  rest: Set<Entry> | undefined;
}

/**
 * A trie over the tokens of patterns. `*` takes one token, `**` one or more and stands last, so a look-up visits at most
 * two branches a token.
 */
export class PatternTrie<Entry> {
  readonly #root: Node<Entry> = emptyNode();

  /** Adds an entry under a pattern; the same entry under the same pattern is there once. */
  add(tokens: readonly string[], entry: Entry): void {
    let node = this.#root;
    for (const token of tokens) {
      if (token === "**") break;
      node.children ??= new Map();
      let child = node.children.get(token);
      if (child === undefined) node.children.set(token, (child = emptyNode()));
      node = child;
    }
    if (tokens.at(-1) === "**") (node.rest ??= new Set()).add(entry);
    else (node.exact ??= new Set()).add(entry);
  }

  /** Removes it again, and the branch when nothing is left on it. */
  remove(tokens: readonly string[], entry: Entry): void {
    removeFrom(this.#root, tokens, entry);
  }

  /** The entries of all patterns that take the topic, each once, in no particular order. */
  match(tokens: readonly string[]): Set<Entry> {
    const found = new Set<Entry>();
    collect(this.#root, { tokens, at: 0, found });
    return found;
  }
}

function emptyNode<Entry>(): Node<Entry> {
  return { children: undefined, exact: undefined, rest: undefined };
}

/** @returns whether the node is empty now */
function removeFrom<Entry>(node: Node<Entry>, tokens: readonly string[], entry: Entry): boolean {
  const [token, ...others] = tokens;
  if (token === undefined) node.exact?.delete(entry);
  else if (token === "**") node.rest?.delete(entry);
  else {
    const child = node.children?.get(token);
    if (child !== undefined && removeFrom(child, others, entry)) node.children?.delete(token);
  }
  return [node.children, node.exact, node.rest].every((part) => part === undefined || part.size === 0);
}

interface Walk<Entry> {
  readonly tokens: readonly string[];
  readonly at: number;
  readonly found: Set<Entry>;
}

function collect<Entry>(node: Node<Entry>, { tokens, at, found }: Walk<Entry>): void {
  const token = tokens[at];
  if (token === undefined) {
    for (const entry of node.exact ?? []) found.add(entry);
    return;
  }
  for (const entry of node.rest ?? []) found.add(entry);
  if (node.children === undefined) return;
  const next = { tokens, at: at + 1, found };
  for (const key of [token, "*"]) {
    const child = node.children.get(key);
    if (child !== undefined) collect(child, next);
  }
}

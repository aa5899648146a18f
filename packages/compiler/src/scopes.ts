/** The boundary to scope analysis: which variable an identifier means, and where that variable is written. */
import { analyze, type Reference, type Scope, type Variable } from "@typescript-eslint/scope-manager";
import type { Node, Program } from "oxc-parser";

export type { Variable };

/** One mention of a variable in the code, types left out. */
export interface Mention {
  node: Extract<Node, { type: "Identifier" }>;
  /** `null` for a global. */
  variable: Variable | null;
  /** Assigns the variable, declarations' initial values not counted. */
  assigns: boolean;
}

/** The mentions of variables in a file. */
export interface Scopes {
  /** All mentions within a node, in the order of the source. */
  mentionsIn(node: Node): Mention[];
  /** The mentions of one variable. */
  mentionsOf(variable: Variable): Mention[];
}

/** Analyses a file. */
export function analyzeScopes(program: Program): Scopes {
  // The parser's tree is the one that the analyser expects (both follow TS-ESTree), under other type names.
  const manager = analyze(program as unknown as Parameters<typeof analyze>[0], {
    sourceType: "module",
    lib: [],
    jsxPragma: null,
  });
  const mentions = manager.scopes
    .flatMap((scope: Scope) => scope.references)
    .filter((reference) => reference.isValueReference && !isInType(reference))
    .map(
      (reference): Mention => ({
        node: nodeOf(reference.identifier) as Mention["node"],
        variable: reference.resolved,
        assigns: reference.isWrite() && !reference.init,
      }),
    )
    .sort((a, b) => a.node.start - b.node.start);
  return {
    mentionsIn: ({ start, end }) => mentions.filter(({ node }) => start <= node.start && node.end <= end),
    mentionsOf: (variable) => mentions.filter((mention) => mention.variable === variable),
  };
}

/** The node whose scope a variable lives in. */
export function homeOf(variable: Variable): Node {
  return nodeOf(variable.scope.block);
}

/** What declares a variable first: a function, a class, a declarator, an import's specifier. */
export function declarationOf({ defs: [definition] }: Variable): Node | undefined {
  return definition && nodeOf(definition.node);
}

/** Where a variable gets its initial value, if it has one declaration with one. */
export function initialValue(variable: Variable): Node | undefined {
  const declaration = declarationOf(variable);
  return declaration?.type === "VariableDeclarator" ? (declaration.init ?? undefined) : undefined;
}

/** The import that made a variable: its module and the name there (`undefined` for the whole module), or nothing. */
export function importOf(variable: Variable): { module: string; name: string | undefined } | undefined {
  const specifier = declarationOf(variable);
  const declaration = specifier?.parent;
  if (declaration?.type !== "ImportDeclaration") return undefined;
  const module = declaration.source.value;
  if (specifier?.type !== "ImportSpecifier") return { module, name: undefined };
  const { imported } = specifier;
  return { module, name: imported.type === "Literal" ? imported.value : imported.name };
}

function isInType(reference: Reference): boolean {
  let parent = nodeOf(reference.identifier).parent;
  while (parent?.type === "TSQualifiedName") parent = parent.parent;
  return parent?.type === "TSTypeQuery";
}

function nodeOf(node: object): Node {
  return node as Node;
}

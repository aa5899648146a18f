// Finds the TypeScript that is shown to users, in doc comments and in documents, and checks it as their compiler would.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";

/** A piece of TypeScript that is shown somewhere. */
export interface Example {
  /** The file that shows it. */
  readonly file: string;
  /** The line of that file before its first. */
  readonly line: number;
  readonly code: string;
}

/** What a Markdown or TypeScript file shows. */
export function examplesOf(file: string): Example[] {
  const text = readFileSync(file, "utf8");
  return file.endsWith(".md") ? examplesOfDocument(file, text) : examplesOfSource(file, text);
}

/** The blocks of a Markdown file that are marked as `ts`. */
function examplesOfDocument(file: string, text: string): Example[] {
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((block) => ({
    file,
    line: text.slice(0, block.index).split("\n").length,
    code: block[1] ?? "",
  }));
}

/** What stands behind `@example` in the doc comments of a source file. */
function examplesOfSource(file: string, text: string): Example[] {
  if (!text.includes("@example")) return [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const examples: Example[] = [];
  const visit = (node: ts.Node): void => {
    for (const tag of ts.getJSDocTags(node)) {
      if (tag.tagName.text !== "example" || tag.parent.parent !== node) continue;
      const code = ts.getTextOfJSDocComment(tag.comment) ?? "";
      const { line } = source.getLineAndCharacterOfPosition(tag.getStart());
      const fenced = /^```ts\n(.*?)^```$/ms.exec(code);
      examples.push({ file, line: line + (fenced === null ? 1 : 2), code: fenced?.[1] ?? code });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return examples;
}

export interface Surroundings {
  /** Where each specifier that examples import is declared. */
  readonly paths: Readonly<Record<string, readonly string[]>>;
  /** Where each public name can be imported from: an example in a doc comment need not say it. */
  readonly specifiers: ReadonlyMap<string, string>;
  /** Declares what examples take as given. */
  readonly globals: string;
  /** Modules of the reader's that examples import: their texts by path, in the folder `examples` beside the page. */
  readonly modules: Readonly<Record<string, string>>;
}

/** What TypeScript says against the examples, a line each: `README.md:12 Cannot find name 'strat'.` */
export function check(examples: readonly Example[], surroundings: Surroundings): string[] {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts", "lib.dom.d.ts"],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ["node"],
    strict: true,
    noUncheckedIndexedAccess: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    noEmit: true,
    paths: Object.fromEntries(Object.entries(surroundings.paths).map(([name, files]) => [name, [...files]])),
  };
  const modules = new Map(examples.map((example, index) => [pathOf(example, index), example]));
  const texts = new Map([
    ...Object.entries(surroundings.modules),
    ...[...modules].map(([path, { code }]) => [path, withImports(code, surroundings.specifiers)] as const),
  ]);
  const program = ts.createProgram(
    [surroundings.globals, ...texts.keys()],
    options,
    hostWith(texts, options),
  );
  return [...modules].flatMap(([path, { file, line }]) => {
    const source = program.getSourceFile(path);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(({ start = 0, messageText }) => {
      const place = source?.getLineAndCharacterOfPosition(start).line ?? 0;
      return `${file}:${line + place + 1} ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
    });
  });
}

/** The files of the disk, and `texts` by their paths. */
function hostWith(texts: ReadonlyMap<string, string>, options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const folders = new Set([...texts.keys()].map((path) => dirname(path)));
  return {
    ...host,
    directoryExists: (path) => folders.has(path) || ts.sys.directoryExists(path),
    fileExists: (path) => texts.has(path) || host.fileExists(path),
    readFile: (path) => texts.get(path) ?? host.readFile(path),
    getSourceFile(path, version) {
      const text = texts.get(path);
      return text === undefined
        ? host.getSourceFile(path, version)
        : ts.createSourceFile(path, text, version, true);
    },
  };
}

/** In a folder beside the file that shows it, under the name that its first line tells, so that the examples of one page import each other. */
function pathOf({ file, code }: Example, index: number): string {
  const [, name = `example-${index}.ts`] = /^\/\/ ([\w./-]+\.ts)/.exec(code) ?? [];
  return join(dirname(file), "examples", name);
}

/** The code, with the public names that it uses and does not declare imported in its first line. */
function withImports(code: string, specifiers: ReadonlyMap<string, string>): string {
  const source = ts.createSourceFile("example.ts", code, ts.ScriptTarget.Latest, true);
  const declared = new Set<string>();
  const used = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) (isDeclared(node) ? declared : used).add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  const imports = [...used].flatMap((name) => {
    const specifier = declared.has(name) ? undefined : specifiers.get(name);
    return specifier === undefined ? [] : [`import { ${name} } from "${specifier}";`];
  });
  return `${imports.join(" ")} export {}; ${code}`;
}

function isDeclared(name: ts.Identifier): boolean {
  const { parent } = name;
  return "name" in parent && parent.name === name && !ts.isPropertyAccessExpression(parent);
}

/** A sample of a page that is a region of a file that runs: the region's name and text. */
export interface Sample {
  /** The page and the line that shows it. */
  readonly place: string;
  readonly code: string;
  /** The file that executes it, and the name of the region there; `null` for a block that names none. */
  readonly region: { readonly file: string; readonly name: string } | null;
}

/** The TypeScript of a page, each with the region that a comment above it names: `<!-- sample: file "name" -->`. */
export function samplesOf(page: string): Sample[] {
  const text = readFileSync(page, "utf8");
  const blocks = text.matchAll(/^(?:<!-- sample: (\S+) "([^"\n]+)" -->\n\n)?```ts\n(.*?)^```$/gms);
  return [...blocks].map(({ index, 1: file, 2: name, 3: code = "" }) => ({
    place: `${page}:${text.slice(0, index).split("\n").length}`,
    code,
    region: file === undefined || name === undefined ? null : { file, name },
  }));
}

/** The regions of a file, by name, without their common indentation: between `// #region name` and `// #endregion`. */
export function regionsOf(file: string): ReadonlyMap<string, string> {
  const text = readFileSync(file, "utf8");
  const regions = text.matchAll(/^( *)\/\/ #region ([^\n]+)\n(.*?)^\1\/\/ #endregion$/gms);
  return new Map(
    [...regions].map(([, indent = "", name = "", code = ""]) => [
      name,
      code.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
    ]),
  );
}

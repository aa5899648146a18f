/** The one bundler plugin; `esbuild.ts`, `vite.ts` and their like give it the shape that each bundler wants. */
import type { UnpluginContext, UnpluginFactory } from "unplugin";
import { type Diagnostic, formatDiagnostic } from "./diagnostics.ts";
import { importsOfBundle, importsOfModules, importsOfOutputs, warningsFor } from "./external.ts";
import { excludedBy, markedDependencies } from "./installed.ts";
import { projectRoot, realPath } from "./project.ts";
import { transform } from "./transform.ts";

/** Settings of the bundler plugins. None is needed in an ordinary project. */
export interface PluginOptions {
  /** The folder that ids are relative to. Default: that of the nearest `package.json`, from the bundler's working directory up. */
  root?: string | undefined;
  /** The module to import the runtime from. Default: `perdure/compiled`, or `workflow/compiled` where only that resolves. */
  runtime?: string | undefined;
  /**
   * Names of installed packages that ship marked functions and stay as they are: their steps are plain calls. Default: the
   * list `perdure.exclude` in the `package.json` of the root.
   */
  exclude?: readonly string[] | undefined;
}

/** What the plugin uses of a webpack or Rspack compiler. */
interface WebpackLike {
  readonly context: string;
  readonly hooks: {
    readonly afterCompile: { tap(name: string, listener: (compilation: CompilationLike) => void): void };
  };
}

interface CompilationLike {
  readonly modules: Iterable<object>;
  readonly warnings: Error[];
}

/** Makes the plugin for any bundler that unplugin knows. */
export const factory: UnpluginFactory<PluginOptions | undefined, false> = (options = {}) => {
  const { runtime } = options;
  let root = options.root === undefined ? projectRoot(process.cwd()) : realPath(options.root);
  const externals = (imports: readonly string[]): string[] => warningsFor(imports, root, options.exclude);
  const startAt = (folder: string): void => {
    if (options.root === undefined) root = projectRoot(folder);
  };
  function warnAtEnd(
    this: { warn(message: string): void },
    _: unknown,
    bundle: Parameters<typeof importsOfBundle>[0],
  ): void {
    for (const warning of externals(importsOfBundle(bundle))) this.warn(warning);
  }
  function setUp(compiler: WebpackLike): void {
    startAt(compiler.context);
    compiler.hooks.afterCompile.tap("perdure", ({ modules, warnings }) => {
      for (const warning of externals(importsOfModules(modules))) warnings.push(new Error(warning));
    });
  }
  return {
    name: "perdure",
    // Directives and positions must be the user's own, so nothing may rewrite the file before.
    enforce: "pre",
    transform: {
      filter: { id: { include: sourceFile } },
      handler(code, id) {
        const result = transform(code, { filename: id, root, runtime, exclude: options.exclude });
        if (!result) return null;
        if (report(this, result.diagnostics) || !result.map) return null;
        // It registers its functions, so it is kept where it is imported for that alone. Rollup's kind of bundlers take this.
        return { code: result.code, map: result.map, moduleSideEffects: true };
      },
    },
    esbuild: {
      onLoadFilter: sourceFile,
      config: ({ absWorkingDir }) => startAt(absWorkingDir ?? process.cwd()),
      setup(build) {
        build.initialOptions.metafile = true;
        build.onEnd(({ metafile }) => ({
          warnings: externals(importsOfOutputs(metafile?.outputs ?? {})).map((text) => ({ text })),
        }));
      },
    },
    rollup: { generateBundle: warnAtEnd },
    rolldown: {
      buildStart: ({ cwd }: { cwd?: string }) => startAt(cwd ?? process.cwd()),
      generateBundle: warnAtEnd,
    },
    webpack: setUp,
    rspack: setUp,
    rsbuild: { setup: ({ context }: { context: { rootPath: string } }) => startAt(context.rootPath) },
    farm: { configResolved: ({ root: folder }: { root?: string }) => startAt(folder ?? process.cwd()) },
    vite: {
      config(config) {
        startAt(config.root ?? process.cwd());
        // Vite leaves installed packages to Node on the server, and bundles them beforehand for the browser: unseen by plugins.
        const marked = markedDependencies(root, options.exclude ?? excludedBy(root));
        return marked.length === 0 ? {} : { ssr: { noExternal: marked }, optimizeDeps: { exclude: marked } };
      },
      configResolved: (config) => startAt(config.root),
    },
  };
};

// No query: `?raw` and parts of single-file components are not modules of their own.
const sourceFile = /^[^?]+\.[cm]?[jt]sx?$/;

/** Hands the diagnostics to the bundler; tells whether the build must stop. */
function report(context: UnpluginContext, diagnostics: readonly Diagnostic[]): boolean {
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  for (const warning of diagnostics) {
    if (warning.severity === "warning") context.warn(messageFor([warning]));
  }
  // One message for all errors: some bundlers stop at the first.
  if (errors.length > 0) context.error(messageFor(errors));
  return errors.length > 0;
}

function messageFor(
  diagnostics: readonly Diagnostic[],
): Exclude<Parameters<UnpluginContext["warn"]>[0], string> {
  const message = diagnostics.map(formatDiagnostic).join("\n");
  const [first] = diagnostics;
  if (!first) return { message };
  const { file, line, column } = first;
  // Bundlers count columns from 0.
  return { message, id: file, code: first.code, loc: { file, line, column: column - 1 } };
}

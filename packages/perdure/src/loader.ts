/** `perdure/loader`: the compiler as a loader of webpack's kind, for Turbopack too. */
export { default, type LoaderContext, type PluginOptions } from "@perdure/compiler/loader";

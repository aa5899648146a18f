/** `perdure/loader`: the compiler as a loader of webpack's kind, for Turbopack too. */
export { default, type LoaderContext, type LoaderOptions } from "@perdure/compiler/loader";

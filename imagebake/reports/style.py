"""How our pages look: light and dark, wide and narrow, without a font of their own."""

from __future__ import annotations

STYLE = """\
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60666d; --paper: #fff; --line:
  #d5d9de; --good: #177245; --bad: #b3261e; --band0: #fdf0d5; --band1: #fbe0dc; --card: #f5f7f9;
  --two: #8a6d1a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ea; --soft: #a0a7ae; --paper: #14171a;
  --line: #3a4046; --good: #5fca92; --bad: #ff8a80; --band0: #3a3018; --band1: #43231f; --card:
  #1d2126; --two: #e0c060; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 56rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.lead { font-size: 1.15rem; }
.soft, figcaption { color: var(--soft); font-size: .9rem; }
.verdict { display: inline-block; padding: .1rem .6rem; border-radius: 1rem; color:
  var(--paper); font-weight: 600; }
.passed { background: var(--good); }
.failed { background: var(--bad); }
.scroll { overflow-x: auto; }
figure { margin: 1rem 0; }
svg { width: 100%; min-width: 34rem; display: block; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; }
.kept { color: var(--good); }
.broken { color: var(--bad); }
.aside { background: var(--card); padding: .75rem 1rem; border-left: .25rem solid var(--line);
  overflow-wrap: anywhere; }
td { overflow-wrap: anywhere; }
summary { cursor: pointer; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .small, svg .tick { fill: var(--soft); font-size: 10px; }
svg .tick { text-anchor: middle; }
svg .lane { font-weight: 600; }
svg .rule { stroke: var(--line); }
svg .calm { fill: transparent; }
svg .band0 { fill: var(--band0); }
svg .band1 { fill: var(--band1); }
svg .good { fill: var(--good); }
svg .bad { stroke: var(--bad); stroke-width: 2.5; fill: none; }
svg .plain { fill: var(--bad); }
svg .golden { fill: var(--good); }
svg .second { fill: var(--two); }
"""
"""The style sheet of every HTML report."""

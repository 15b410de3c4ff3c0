"""What the dashboard looks like beyond the style of all our pages."""

from __future__ import annotations

DASHBOARD_STYLE = """\
:root { --look: #8a5300; --track: #dde1e6; }
@media (prefers-color-scheme: dark) { :root { --look: #f2b84b; --track: #343a41; } }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { max-width: 80rem; padding: 1.5rem 1.25rem 3rem; line-height: 1.45;
  overflow-wrap: anywhere; }
a { color: inherit; text-underline-offset: .2em; text-decoration-color: var(--soft); }
a:hover { text-decoration-thickness: .14em; }
:focus-visible { outline: .18rem solid currentcolor; outline-offset: .15rem; border-radius: .2rem; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .3rem .6rem; }
h1 { display: flex; flex-wrap: wrap; align-items: center; gap: .3rem .8rem; font-size: 1.75rem;
  letter-spacing: -.01em; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.25rem; }
h3 { margin: 0; font-size: 1rem; }
.verdict { font-size: 1rem; padding: .2rem .9rem; letter-spacing: 0; }
.verdict .sign { color: inherit; }
.verdict.well { background: var(--good); } .verdict.look { background: var(--look); }
.verdict.bad { background: var(--bad); } .verdict.none { background: var(--soft); }
.asof p { margin: 0; }
.asof dl { display: flex; flex-wrap: wrap; gap: .1rem 1.25rem; margin: 0; font-size: inherit; }
.asof dl div { display: flex; gap: .4rem; }
.asof dd { text-align: left; }
nav ul { display: flex; flex-wrap: wrap; gap: .35rem 1.1rem; list-style: none; margin: .9rem 0 0;
  padding: .6rem 0; border-block: 1px solid var(--line); }
#attention h2 { margin-top: 1.5rem; }
.concerns { list-style: none; margin: 0 0 1rem; padding: 0; }
.concerns li { margin: .3rem 0; overflow-wrap: anywhere; }
.concerns a { display: block; text-decoration: none; }
.concerns a:hover { text-decoration: underline; }
.aside ul { margin: .25rem 0 0; padding-left: 1.2rem; }
.sign { color: inherit; }
.sign .mark { font-weight: 700; }
.sign.well .mark { color: var(--good); } .sign.look .mark { color: var(--look); }
.sign.bad .mark { color: var(--bad); } .sign.none .mark { color: var(--soft); }
.verdict .sign .mark { color: inherit; }
.concerns .sign, td .sign { display: inline-grid; grid-template-columns: 1.1em auto;
  max-width: 100%; }
#incidents th .cell { min-width: 8rem; }
.tiles { grid-template-columns: repeat(auto-fit, minmax(13.5rem, 1fr)); margin-top: 1.25rem; }
.tile { border-radius: .25rem; overflow-wrap: anywhere; }
.tile h3 { font-size: .9rem; font-weight: 600; color: var(--soft); }
.tile .big { font-size: 1.6rem; margin: .1rem 0 .3rem; }
.tile p { font-size: .9rem; }
.tile.well { border-color: var(--good); } .tile.look { border-color: var(--look); }
.tile.bad { border-color: var(--bad); } .tile.none { border-color: var(--soft); }
.tile.well .big { color: var(--good); } .tile.look .big { color: var(--look); }
.tile.bad .big { color: var(--bad); } .tile.none .big { color: var(--soft); }
.empty { color: var(--soft); border: 1px dashed var(--line); border-radius: .25rem;
  padding: .9rem 1rem; margin: 0; }
.line { display: block; }
.soft.line { font-size: .85rem; }
table { font-size: .92rem; margin-bottom: 1.25rem; }
caption { text-align: left; color: var(--soft); font-size: .85rem; padding-bottom: .35rem; }
th, td { padding: .5rem .9rem .5rem 0; overflow-wrap: break-word; }
.cell { max-width: 12rem; }
th .cell { max-width: 18rem; }
.cell.words { max-width: none; min-width: 8rem; overflow-wrap: anywhere; }
tr.group th { overflow-wrap: anywhere; }
main > section { overflow-x: auto; }
thead th { font-size: .8rem; font-weight: 600; color: var(--soft); padding-block: .25rem;
  overflow-wrap: normal; }
tbody th { font-weight: 500; }
td { font-variant-numeric: tabular-nums; }
time { white-space: nowrap; }
tr.group th { padding-top: 1.1rem; border-bottom-color: var(--soft); font-weight: 400; }
tr.group strong { font-size: 1.02rem; }
details.image { border-top: 1px solid var(--line); padding: .6rem 0; }
details.image > table { margin-bottom: .25rem; }
details.image > table { margin-top: .6rem; }
summary h3 { display: inline; margin-right: .5rem; }
svg.share { width: 100%; max-width: 9rem; height: .55rem; margin-top: .25rem; }
svg.beats { width: 100%; min-width: 12rem; height: 2.5rem; }
svg .track { fill: var(--track); }
svg .under { fill: var(--good); } svg .over { fill: var(--look); }
svg .limit { stroke: var(--ink); stroke-width: 1.5; vector-effect: non-scaling-stroke; fill: none; }
svg .ground { stroke: var(--line); vector-effect: non-scaling-stroke; fill: none; }
svg .hit { fill: var(--good); } svg .miss { fill: var(--bad); }
svg .line { stroke: var(--ink); stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round;
  vector-effect: non-scaling-stroke; fill: none; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .75rem; }
footer p { margin: 0; }
@media screen and (max-width: 52rem) {
  body { padding-inline: 1rem; }
  .tiles { grid-template-columns: 1fr 1fr; gap: .6rem; }
  .tile { padding: .6rem .75rem; } .tile .big { font-size: 1.3rem; }
  .cards, .cards caption, .cards tbody, .cards tr, .cards th, .cards td { display: block; }
  .cards thead { position: absolute; width: 1px; height: 1px; overflow: hidden;
    clip-path: inset(50%); white-space: nowrap; }
  .cards tr { padding: .6rem 0; border-bottom: 1px solid var(--line); }
  .cards tr.group { padding: 1.1rem 0 0; border-bottom-color: var(--soft); }
  .cards th, .cards td { border: 0; padding: .15rem 0; }
  .cards tr.group th { padding: 0 0 .4rem; }
  .cards tbody tr:not(.group) > th { font-weight: 600; }
  .cards td { display: grid; grid-template-columns: 5.6rem minmax(0, 1fr); gap: .6rem;
    align-items: baseline; }
  .cards td::before { content: attr(data-label); color: var(--soft); font-size: .85rem; }
  .cell, th .cell { max-width: 18rem; }
.cell.words { max-width: none; min-width: 0; overflow-wrap: anywhere; }
  .concerns .sign > *, td .sign > * { min-width: 0; }
  svg.beats { min-width: 0; }
}
@media screen and (max-width: 24rem) { .tiles { grid-template-columns: 1fr; } }
@media print {
  @page { size: landscape; margin: 12mm; }
  nav, .skip { display: none; }
  main > section { overflow-x: visible; }
  .tiles { grid-template-columns: repeat(4, 1fr); break-inside: avoid; }
  h2 { margin-top: 1.5rem; }
  table { font-size: .85rem; }
  details.image::details-content { content-visibility: visible; }
  h2, caption, thead, tr.group, summary { break-after: avoid; }
  a { text-decoration: none; }
}
"""
"""The style sheet that follows the common one."""

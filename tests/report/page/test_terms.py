import re

from debatch.report.page.terms import TERMS, with_terms

PAGE = """<nav><a href="#summary">AdaBN</a></nav>
<section id="summary"><h2>Summary</h2><p>AdaBN &amp; a batch effect; <code>grit</code></p></section>
<section id="table"><h2>AdaBN again</h2>
<table><thead><tr><th>k-BET</th></tr></thead></table><p>grit of AdaBN</p></section>
<section id="empty"><p>UMAP: nothing</p></section>
<section id="map"><h2>A map</h2><p>UMAP</p></section>
<script>const probe = "AdaBN";</script>
"""


def explained(part):
    return re.findall(r'<dt id="word-[a-z0-9-]+">(.*?)</dt>', part)


def test_a_word_is_explained_once_where_it_is_first_used():
    head, summary, table, empty, last = re.split(r"(?=<section )", with_terms(PAGE, "each week is one"))
    assert "<dt" not in head
    assert explained(summary) == ["batch", "batch effect", "AdaBN"]
    # a heading of a table explains its word too
    assert explained(table) == ["k-BET", "grit"]
    assert explained(empty) == []
    assert explained(last) == ["UMAP"]
    assert 'const probe = "AdaBN";' in last
    assert "here each week is one." in summary
    # the answers come first, and then what their words mean; elsewhere words come before numbers
    assert summary.index("batch effect") < summary.index("<dl>")
    assert table.index("<dl>") < table.index("<table>")


def test_the_first_use_in_running_text_leads_to_the_sentence():
    page = with_terms(PAGE, "")
    assert '<p><a class="term" href="#word-adabn">AdaBN</a> &amp; a <a class="term" href="#word-batch-effect">' in page
    assert "<code>grit</code>" in page
    assert page.count('href="#word-adabn"') == 1
    # not where a click sorts
    assert "<th>k-BET</th>" in page


def test_each_term_finds_its_own_name_and_is_one_sentence():
    for term in TERMS:
        found = explained(with_terms(f'<section id="x"><h2>t</h2><p>{term.name.split(" and ")[0]}</p></section>', "b"))
        assert term.name in found, term.name
        assert re.fullmatch(r"[^.]*(?:\d\.\d[^.]*)*\.|[^.]+\. Seen ones[^.]+\.", term.sentence.format(batch="b")), (
            term.name
        )
    assert len({term.name for term in TERMS}) == len(TERMS)


def test_words_within_words_are_none():
    assert explained(with_terms('<section id="x"><h2>t</h2><p>overhead minibatches</p></section>', "")) == []


def test_corrections_are_defined_once():
    """Where a section says what each does, the list of words need not."""
    page = (
        '<section id="summary"><h2>Summary</h2><p>Less of the batch under Harmony.</p></section>'
        '<section id="corrections"><h2>The corrections</h2><p>Harmony. Clusters are found.</p></section>'
    )
    told = with_terms(page, "")
    assert '<a class="term" href="#corrections">Harmony</a>' in told
    assert "<dt" in told
    assert ">Harmony</dt>" not in told
    assert ">Harmony</dt>" in with_terms(page.split('<section id="corrections">')[0], "")

from hypothesis import given, settings, strategies as st
from tests.integration import test_order_status_stories as t
@given(chapters=st.lists(t.CHAPTERS, min_size=4, max_size=14))
@settings(max_examples=90, phases=t.QUICK)
def test_long(tmp_path_factory, chapters): t.tell(chapters, tmp_path_factory.mktemp("s"))

"""MLflow's UI over a made-up study, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from galmorph.tracking import views
from galmorph.tracking.store import Store
from tests.support.browser import Page
from tests.support.mlflow_server import mlflow_serving
from tests.support.records import made_condition

pytestmark = pytest.mark.slow
# Its own, about a user list that a server without accounts does not have, and about its layout.
MLFLOWS_OWN = ("users/current", "ResizeObserver loop")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("study")
    store = Store(f"sqlite:///{folder / 'mlflow.db'}", "survey", folder / "mlartifacts")
    store.sync([made_condition(folder / "models", name) for name in ("two_class", "balanced")])
    return store


@pytest.fixture(scope="module")
def server(study: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`mlflow ui` over the study's store; gives its address."""
    with mlflow_serving(tmp_path_factory.mktemp("server"), "ui", "--backend-store-uri", study.uri) as address:
        yield address


@pytest.fixture
def ui(browser: Page, server: str, study: Store) -> Any:
    """Opens a page of the experiment, and waits until it says something; without a browser no server is started."""

    def show(path: str, said: str, height: int = 900) -> Page:
        address = f"{server}/#/experiments/{study.experiment.experiment_id}/{path}"
        browser.open(f"{address}?workflowType=machine_learning", 1280, height)
        browser.wait_for(f"document.body.innerText.includes({said!r})")
        return browser

    return show


def troubles(page: Page) -> list[str]:
    return [problem for problem in page.problems if not any(known in problem for known in MLFLOWS_OWN)]


def press(page: Page, text: str) -> None:
    page.evaluate(
        f"((part) => (part.closest('button, label') || part).click())"
        f"([...document.querySelectorAll('*')].filter(part => part.innerText?.trim() === {text!r}).pop())"
    )


def test_the_printed_address_shows_a_line_for_each_condition_with_its_scores(
    browser: Page, server: str, study: Store, screenshots: Path
) -> None:
    browser.open(views.page(server, study.experiment.experiment_id), 1600)
    browser.wait_for("document.body.innerText.includes('two_class')")
    (parent,) = study.runs("condition", condition="two_class")
    text = browser.text()
    for name in ("confirmed/accuracy", "confirmed/accuracy_std", "confirmed/tss"):
        assert f"{name}\n" in text
        assert str(parent.data.metrics[name]) in text
    assert "2\nmatching runs" in text or "2 matching runs" in text
    browser.screenshot(screenshots / "mlflow-conditions.png")
    assert troubles(browser) == []


def test_the_experiment_lists_conditions_and_their_runs_by_name(ui: Any, screenshots: Path) -> None:
    page = ui("runs", "two_class")
    assert "balanced" in page.text()
    assert "data/cutouts/images.npy" in page.text()
    unfold = "cell => cell && cell.querySelector('button')?.click()"
    page.wait_for("[...document.querySelectorAll('[role=gridcell] a')].some(part => part.innerText === 'two_class')")
    page.evaluate(
        f"({unfold})([...document.querySelectorAll('[role=gridcell] a')]"
        ".find(part => part.innerText === 'two_class').closest('[role=gridcell]'))"
    )
    page.wait_for("document.body.innerText.includes('two_class confirmed 02')")
    page.screenshot(screenshots / "mlflow-experiment.png")
    assert troubles(page) == []
    assert page.missing_images() == []


def test_a_run_s_page_shows_parameters_data_curves_and_confusion(ui: Any, study: Store, screenshots: Path) -> None:
    (run,) = study.runs("run", condition="two_class", phase="confirmed", run="2")
    page = ui(f"runs/{run.info.run_id}", "two_class confirmed 02", 2200)
    page.wait_for("document.body.innerText.includes('training.learning_rate')")
    assert "0" * 32 in page.text()  # the md5 of the stamps
    assert "data/cutouts/images.npy" in page.text()
    page.screenshot(screenshots / "mlflow-run.png")
    assert troubles(page) == []
    page = ui(f"runs/{run.info.run_id}/model-metrics", "test_accuracy", 5000)  # what is out of sight is not drawn
    page.wait_for("document.querySelectorAll('.main-svg').length")
    page.screenshot(screenshots / "mlflow-curves.png")
    assert troubles(page) == []
    page = ui(f"runs/{run.info.run_id}/artifacts", "confusion.png")
    press(page, "confusion.png")
    page.wait_for("[...document.images].some(image => image.naturalWidth > 300)")
    page.screenshot(screenshots / "mlflow-confusion.png")
    assert page.missing_images() == []
    assert troubles(page) == []


def test_a_condition_s_page_says_how_well_it_did(ui: Any, study: Store, screenshots: Path) -> None:
    (parent,) = study.runs("condition", condition="two_class")
    page = ui(f"runs/{parent.info.run_id}", "spiral / elliptical", 1400)
    page.wait_for("document.body.innerText.includes('two_class confirmed 03')")
    page.screenshot(screenshots / "mlflow-condition.png")
    assert troubles(page) == []

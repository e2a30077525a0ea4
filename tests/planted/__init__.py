"""The tests are tested: each planted defect must be caught by the test that is named beside it."""
